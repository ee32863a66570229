# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for netdctl: the program itself knows its verbs, options, networks and guests
_netdctl()
{
	local cur prev words cword i
	local -a global=()
	_init_completion -n := 2>/dev/null || {
		words=("${COMP_WORDS[@]}")
		cword=$COMP_CWORD
		cur=${words[cword]}
	}

	# Options in front of the verb: those about the connection are passed on.
	i=1
	while ((i < cword)); do
		case ${words[i]} in
		-c | --connect | -s | --socket)
			((i + 1 == cword)) && return
			global+=("${words[i]}" "${words[i + 1]}")
			((i += 2))
			;;
		-e | --escape)
			((i + 1 == cword)) && return
			((i += 2))
			;;
		--connect=* | --socket=*)
			global+=("${words[i]}")
			((i += 1))
			;;
		-*)
			((i += 1))
			;;
		*)
			break
			;;
		esac
	done
	if ((i == cword)) && [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W "--connect --socket --escape --help --quiet --readonly --version" -- "$cur"))
		return
	fi
	local IFS=$'\n'
	COMPREPLY=($("${words[0]}" "${global[@]}" complete -- "${words[@]:i:cword - i + 1}" 2>/dev/null |
		while IFS= read -r word; do printf '%q\n' "$word"; done))
}
complete -o bashdefault -o default -F _netdctl netdctl
