/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A row of config_bad.h, and what its texts are made of. */
struct bad_config {
	const char *name;
	const char *text;
	const char *path;   /* of the error */
	const char *reason; /* part of it */
	bool in_schema;     /* a JSON schema can say so too */
};

#define PORTS           "'ports':[{'name':'up0','driver':'null'}]"
#define WITH(members)   "{" PORTS "," members "}"
#define PORT(members)   "{'ports':[{'name':'p'," members "}]}"
#define STREAM(members) WITH("'streams':[{'name':'s'," members "}]")
#define KERNEL(members)                                                                            \
	"{'ports':[{'name':'x','driver':'xdp','interface':'eth0'}],"                               \
	"'streams':[{'name':'s','path':'kernel'" members "}]}"
#define MATCH(members)    STREAM("'match':{" members "}")
#define GROUP(members)    WITH("'streams':[{'name':'s'}],'groups':[{'name':'g'," members "}]")
#define RECEIVER(n, a)    "{'name':'" n "','address':'" a "','port':9995}"
#define CONSUMER(members) GROUP("'streams':'s','consumers':[{'name':'c','port':9995," members "}]")
#define ADDRESS           "'address':'198.51.100.7'"

/* Write the text with its " into `to`, which has room for strlen + 1. */
static inline void bad_config_text(const struct bad_config *bad, char *to)
{
	const char *from = bad->text;

	do
		*to++ = *from == '\'' ? '"' : *from;
	while (*from++ != '\0');
}
