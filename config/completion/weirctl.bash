# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Completion of weirctl. The running gateway says which methods and parameters there are; without
# one, those that weirctl came with. Options and methods are filled in when it is built.

# The words typed so far that choose a method, without options and their values.
_weirctl_words() {
	local i skip=
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [[ -n $skip ]]; then
			skip=
		elif [[ ${COMP_WORDS[i]} == -[stnc] ]]; then
			skip=1
		elif [[ ${COMP_WORDS[i]} != -* && ${COMP_WORDS[i]} != watch && ${COMP_WORDS[i]} != help ]]; then
			printf '%s\n' "${COMP_WORDS[i]}"
		fi
	done
}

# weirctl with the socket that the line names.
_weirctl_ask() {
	local i at=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == -s ]] && at=(-s "${COMP_WORDS[i + 1]}")
	done
	command weirctl -t 1 "${at[@]}" "$@" 2>/dev/null
}

_weirctl_names() {
	local known='@methods@'
	_weirctl_ask help --names || printf '%s\n' ${known// /$'\n'}
}

_weirctl() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local words choices
	mapfile -t words < <(_weirctl_words)

	if [[ $previous == -s ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
	fi
	if [[ $current == -* ]]; then
		choices='@options@'
	elif ((${#words[@]} == 0)); then
		choices="check events help rpc top watch $(_weirctl_names | sed 's/_.*//' | sort -u)"
	elif [[ ${words[0]} == top ]]; then
		((${#words[@]} == 1)) && choices='streams partitions consumers workers'
	elif [[ ${words[0]} == rpc ]]; then
		((${#words[@]} == 1)) && choices=$(_weirctl_names)
	elif ((${#words[@]} == 1)) && [[ ${words[0]} != *_* ]]; then
		choices=$(_weirctl_names | sed -n "s/^${words[0]//[^a-z0-9]/}_//p" | tr _ -)
	else
		choices=$(_weirctl_ask help "${words[@]:0:2}" | sed -n 's/^  \([a-z0-9_]*\)=.*/\1=/p')
		compopt -o nospace
	fi
	mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current")
	# A file is an argument wherever an object is wanted.
	((${#words[@]} >= 2)) && mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
}

complete -F _weirctl weirctl
