/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static int fail(struct weir_error *error, int code, const char *what)
{
	return weir_error_set(error, code, "", "--no-sandbox goes on with all privileges", "%s: %s",
		what, strerror(-code));
}

static int join_group(const char *name)
{
	const struct group *group = name != NULL ? getgrnam(name) : NULL;
	int count = getgroups(0, NULL);
	gid_t *list;
	int result;

	if (group == NULL || count < 0)
		return 0;
	list = calloc((size_t)count + 1, sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	count = getgroups(count, list);
	if (count < 0) {
		free(list);
		return -errno;
	}
	list[count] = group->gr_gid;
	result = setgroups((size_t)count + 1, list) < 0 ? -errno : 0;
	free(list);
	return result;
}

/* Choose in libcap-ng's state what stays of what there is. */
static uint64_t choose(uint64_t capabilities, uint64_t *missing)
{
	uint64_t kept = 0;

	for (int i = 0; i <= CAP_LAST_CAP; i++)
		if (capng_have_capability(CAPNG_PERMITTED, (unsigned int)i))
			kept |= WEIR_CAPABILITY(i);
	*missing = capabilities & ~kept;
	kept &= capabilities;
	capng_clear(CAPNG_SELECT_ALL);
	for (int i = 0; i <= CAP_LAST_CAP; i++)
		if (kept & WEIR_CAPABILITY(i))
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, (unsigned int)i);
	return kept;
}

static int become(const char *user, struct weir_error *error)
{
	const struct passwd *entry;
	int result;

	errno = 0;
	entry = getpwnam(user);
	if (entry == NULL)
		return weir_error_set(error, errno != 0 ? -errno : -ENOENT, "--user",
			"adduser --system --group NAME", "there is no user \"%s\"", user);
	result = capng_change_id(
		(int)entry->pw_uid, (int)entry->pw_gid, CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
	if (result != 0)
		return weir_error_set(error, -EPERM, "--user", "start it as root",
			"it cannot become user \"%s\" (%d)", user, result);
	return 0;
}

int weir_privilege_confine(uint64_t capabilities, const char *user, const char *group,
	uint64_t *missing, struct weir_error *error)
{
	bool may_bound;
	int result;

	if (capng_get_caps_process() != 0)
		return fail(error, -EPERM, "its capabilities cannot be read");
	may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	if (user == NULL && capng_have_capability(CAPNG_EFFECTIVE, CAP_SETGID)) {
		result = join_group(group);
		if (result < 0)
			return fail(error, result, "it cannot join its group");
	}
	choose(capabilities, missing);
	if (user != NULL) {
		result = become(user, error);
		if (result < 0)
			return result;
	}
	/* Without CAP_SETPCAP the bounding set stays; no_new_privs makes it meaningless. */
	if (user == NULL && may_bound && capng_apply(CAPNG_SELECT_BOUNDS) != 0)
		return fail(error, -EPERM, "the bounding set cannot be reduced");
	if (capng_apply(CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT) != 0)
		return fail(error, -EPERM, "capabilities cannot be given up");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(error, -errno, "no_new_privs cannot be set");
	return 0;
}

const char *weir_privilege_names(uint64_t capabilities, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (int i = 0; i <= CAP_LAST_CAP; i++) {
		const char *name = capng_capability_to_name((unsigned int)i);
		size_t room = size - used;
		int length;

		if (!(capabilities & WEIR_CAPABILITY(i)) || name == NULL || room < 2)
			continue;
		length = snprintf(text + used, room, "%sCAP_", used > 0 ? " " : "");
		for (; length >= 0 && (size_t)length < room - 1 && *name != '\0'; name++)
			text[used + (size_t)length++] =
				*name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
		used += (size_t)length < room ? (size_t)length : room - 1;
		text[used] = '\0';
	}
	return text;
}
