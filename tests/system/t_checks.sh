#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The checks of the source tree find what they are there to find: each violation is planted in a
# small tree, and must be named with its file and line, and nothing else must be.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

tree=$tmp/tree
spdx='SPDX-License-Identifier: BSD-3-Clause'

# plant FILE LINE...: a source file with the licence on top, so that LINE is on line 2
plant() {
	local file=$tree/$1
	shift
	mkdir -p "$(dirname "$file")"
	printf '/* %s */\n' "$spdx" >"$file"
	printf '%s\n' "$@" >>"$file"
}

# expect FILE:LINE WORD: the only fault in the tree
expect() {
	local found status=0
	found=$("$weir_root/scripts/check-includes" "$tree") || status=$?
	assert_eq "$status" 1 "exit status with a fault planted at $1"
	assert_eq "$(wc -l <<<"$found")" 1 "faults found: $found"
	[[ $found == "$1: "*"$2"* ]] || fail "expected '$1' and '$2' in: $found"
	rm -r "$tree"
}

expect_clean() {
	"$weir_root/scripts/check-includes" "$tree" || fail "a fault was found where there is none"
	rm -r "$tree"
}

plant lib/wire/a.c '#include "wire/a.h"' '#include "base/error.h"' '#include <string.h>'
plant lib/dataplane/b.c '#include "lane/x.h"' '#include <rte_mbuf.h>'
plant drivers/dpdk/c.c '#include <rte_ethdev.h>' '#include "dataplane/port.h"'
plant lib/config/d.c '#include <jansson.h>'
plant app/weir/e.c '#include "dpdk/port.h"' '#include "control/server.h"' '#include "local.h"'
expect_clean

# Against the direction, each pair of neighbours, and across.
plant lib/base/a.c '#include "wire/parse.h"'
expect lib/base/a.c:2 wire
plant lib/wire/a.h '' '#include "flow/bucket.h"'
expect lib/wire/a.h:3 flow
plant lib/flow/a.h '#include "lane/lane.h"'
expect lib/flow/a.h:2 lane
plant lib/config/a.c '#include "dataplane/ring.h"'
expect lib/config/a.c:2 dataplane
plant lib/dataplane/a.c '#include "control/server.h"'
expect lib/dataplane/a.c:2 control
plant lib/dataplane/a.c '#include "dpdk/port.h"'
expect lib/dataplane/a.c:2 dpdk
plant lib/client/a.c '#include "config/config.h"'
expect lib/client/a.c:2 config
plant app/weirctl/a.c '  #  include "dataplane/port.h"'
expect app/weirctl/a.c:2 dataplane
plant lib/base/a.c '#include "lib/base/error.h"'
expect lib/base/a.c:2 'from lib/'
plant lib/base/a.c '#include "../wire/parse.h"'
expect lib/base/a.c:2 'from lib/'
plant lib/strange/a.c ''
expect lib/strange/a.c:1 'no place'

# Who may use what.
plant lib/dataplane/a.c '#include <rte_ethdev.h>'
expect lib/dataplane/a.c:2 drivers/dpdk
plant lib/dataplane/a.c '#include <jansson.h>'
expect lib/dataplane/a.c:2 jansson
for header in rte_mbuf.h time.h unistd.h sys/socket.h; do
	plant lib/place/a.h "#include <$header>"
	expect lib/place/a.h:2 pure
done

# Licence and length.
mkdir -p "$tree/scripts"
printf '#!/bin/bash\necho\n' >"$tree/scripts/run"
expect scripts/run:1 SPDX
plant lib/base/a.c "$(seq -f '/* %g */' 500)"
expect lib/base/a.c:501 'more than 500'
plant lib/base/a.c 'void f(void)' '{' "$(seq -f 'f(%g);' 60)" '}'
expect_clean
plant lib/base/a.c 'void f(void)' '{' "$(seq -f 'f(%g);' 61)" '}'
expect lib/base/a.c:3 'more than 60'

# Format: a C file and a script.
plant lib/base/a.c 'static int  f;'
assert_fails "$weir_root/scripts/check-format" "$tree" >"$tmp/found"
grep -q 'lib/base/a.c:2:' "$tmp/found" || fail "the format fault is not named"
rm "$tree/lib/base/a.c"
mkdir -p "$tree/scripts"
# shellcheck disable=SC2016 # the dollar is the fault
printf '#!/bin/bash\n# %s\necho $1\n' "$spdx" >"$tree/scripts/run"
assert_fails "$weir_root/scripts/check-format" "$tree" >"$tmp/found"
grep -q 'scripts/run line 3' "$tmp/found" || fail "the script's fault is not named"

# What programs say of their options, their manuals and the completion agree; and the methods.
generated=$weir_build/packaging
for program in weir weirctl weir-agent; do
	page=$(echo "$weir_root/docs/man/$program".[18])
	$program --help 2>/dev/null | sed '/^Methods/,$d' |
		grep -oE '^ +(-., )? *--[a-z-]+' | grep -oE -e '--[a-z-]+' | sort >"$tmp/told"
	assert_num "$(wc -l <"$tmp/told")" -ge 8 "options of $program"
	grep -oE '^\.It Fl (. , )?-[a-z-]+' "$page" | grep -oE -e '-[a-z-]+$' | sed 's/^/-/' |
		sort >"$tmp/manual"
	diff "$tmp/told" "$tmp/manual" >&2 || fail "$program --help and its manual differ"
	while read -r option; do
		for shell in "$program" "_$program"; do
			grep -qF -e "$option" "$generated/$shell" || fail "no completion of $program $option"
		done
	done <"$tmp/told"
done
weir --methods | jq -r '.methods[].name' | sort >"$tmp/methods"
assert_num "$(wc -l <"$tmp/methods")" -ge 50 methods
sed -n 's/^\.It Sy \([a-z0-9_]*\) .*/\1/p' "$generated/weir-methods.7" | diff "$tmp/methods" - >&2 ||
	fail "the manual of the methods"
completed() {
	# shellcheck disable=SC2034 # for the function
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	COMPREPLY=()
	"_$1"
	printf '%s\n' "${COMPREPLY[@]}"
}
compopt() { :; } # there is no line that is typed
for program in weir weirctl; do
	# shellcheck source=/dev/null
	. "$generated/$program"
done
assert_eq "$(completed weir --no | xargs)" --no-sandbox "completed options of weir"
assert_eq "$(WEIR_SOCKET=/nowhere completed weirctl --soc | xargs)" --socket "and of weirctl"
assert_eq "$(WEIR_SOCKET=/nowhere completed weirctl rpc config_a | xargs)" config_apply \
	"a method, without a gateway"

# Every reason is in the documents by the name and the text that it has in the code, and no other.
/usr/bin/python3 - "$weir_root/lib/base/reason.h" "$weir_root/docs/configuration.md" >"$tmp/reasons" <<'EOF' ||
import re
import sys

code = open(sys.argv[1], encoding="utf-8").read().replace("\\\n", "")
wanted = {(stage.lower(), name, text) for stage, name, text in
          re.findall(r'X\(\w+, (\w+), "(\w+)",\s*"([^"]+)"\)', code) if name != "none"}
rows = set(re.findall(r"^\| (port|stream|group|native) \| `(\w+)` \| (.+) \|$",
                      open(sys.argv[2], encoding="utf-8").read(), re.MULTILINE))
for row in sorted(wanted ^ rows):
    print("code" if row in wanted else "document", *row)
sys.exit(len(wanted) < 50 or wanted != rows)
EOF
	fail "reasons differ: $(cat "$tmp/reasons")"
