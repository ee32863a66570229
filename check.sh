#!/bin/bash
# check.sh -- installs what is needed, builds, runs every test
#
#	sudo ./check.sh [--quick] [--no-install]
#
# The walks through every step where netd can fail or be killed take one of the errors for each step, another one
# each day, and under the sanitizers a part of the steps, others each day; NETD_CRASH_ALL=1 takes all of them.
#
# --quick leaves out the sanitizer builds, the minute of fuzzing for each parser and the benchmarks.
# The last line is "N passed, N failed"; the exit status is 0 when nothing failed.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")" || exit 1
quick= install=1
for arg; do
	case $arg in
	--quick) quick=1 ;;
	--no-install) install= ;;
	*) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 2 ;;
	esac
done
[ "$(id -u)" = 0 ] || { echo "check.sh must run as root: the tests make network namespaces" >&2; exit 1; }
. tests/deps.sh
[ -z "$install" ] || deps_install build demo test peers bench || exit 1

passed=0 failed=0 skipped=0 failures=() second=()
details=$(mktemp)		# how each failure looked, for the end of the report
trap 'rm -f "$details"' EXIT
started=$SECONDS

stage()
{
	printf '\n==== %s (after %d s)\n' "$1" $((SECONDS - started))
}

# Keeps the end of what a failed test printed.
remember()	# name, log
{
	printf -- '---- %s\n' "$1" >>"$details"
	grep -vE '^(Ok|Expected Fail|Fail|Unexpected Pass|Skipped|Timeout):|^$' "$2" | tail -25 | cut -c1-300 >>"$details"
}

# A step that is one test by itself: prints its output, counts it.
step()
{
	local name=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		failures+=("$name")
		return 1
	fi
}

configure()	# folder, options...
{
	local dir=$1
	shift
	if [ -d "$dir/meson-info" ]; then
		meson configure "$dir" "$@" >/dev/null
	else
		meson setup "$dir" "$@" >"$dir.log" 2>&1 || { cat "$dir.log"; return 1; }
	fi
}

build()		# folder
{
	ninja -C "$1" >"$1.log" 2>&1 && return 0
	grep -vE '^\[[0-9]+/' "$1.log" | head -100
	return 1
}

# Runs the meson tests of a build (further arguments select them) and adds up their results.
tests()
{
	local dir=$1 name=$2 log
	shift 2
	log=$(mktemp)
	meson test -C "$dir" --no-rebuild --print-errorlogs "$@" >"$log" 2>&1
	sed -n '/^ *[0-9]*\/[0-9]* /p; /^――/,$p' "$log" | cut -c1-400
	count()
	{
		awk -v what="^($1):" '$0 ~ what { n += $NF } END { print n + 0 }' "$log"
	}
	local bad
	passed=$((passed + $(count Ok)))
	skipped=$((skipped + $(count Skipped)))
	bad=$(count 'Fail|Unexpected Pass|Timeout')
	grep -q '^Ok:' "$log" || { cat "$log"; bad=$((bad + 1)); }	# nothing ran
	failed=$((failed + bad))
	[ "$bad" = 0 ] || again "$dir" "$name" "$log"
	rm -f "$log"
}

# Machines are noisy, and many tests wait for clocks: what failed gets a second try, alone, and the
# report says so. What fails twice has failed.
again()
{
	local dir=$1 name=$2 log=$3 test
	for test in $(sed -nE 's/^ *[0-9]+\/[0-9]+ [^ ]+ \/ ([^ ]+) +(FAIL|TIMEOUT) .*/\1/p' "$log" | sort -u); do
		if timeout 900 meson test -C "$dir" --no-rebuild --num-processes 1 --timeout-multiplier 4 \
			"$test" >"$log.again" 2>&1 &&
			grep -qE '^Ok: +[1-9]' "$log.again"; then
			echo "second try passed: $test ($name)"
			second+=("$test")
			failed=$((failed - 1)) passed=$((passed + 1))
		else
			failures+=("$test in $name, twice")
			tail -60 "$log.again"
			remember "$test in $name" "$dir/meson-logs/testlog.txt"
		fi
	done
	rm -f "$log.again"
}

# All tests again under the sanitizers, for what they find: times, memory and ratios are judged in the plain
# build only, so that these run side by side and do everything less often.
sanitized()
{
	stage "all tests under the sanitizers"
	NETD_OTHER_BUILD=$PWD/build/check NETD_FLUSHES=100 NETD_HISTORY_SECONDS=5 NETD_CRASH_EVERY=${NETD_CRASH_ALL:-2} \
		tests build/asan "the sanitizer build" --no-suite bench --timeout-multiplier 4 --num-processes 3
}

# What several threads of one process do: the daemon's worker, the lease store, the remover of links.
threads="lifecycle domains nic_filters drift crash guest_crash dhcp_store serve_guests serve_life lease_store"

# The tests that need a whole kernel, in two emulated machines; what fails gets a second try there too.
lab()
{
	local log again
	log=$(mktemp)
	tests/lab/suite build/check 2>&1 | tee "$log"
	again=$(sed -nE 's/^lab: ([^ ,]+) FAIL.*/\1/p' "$log" | sort -u)
	passed=$((passed + $(grep -cE '^lab: [^ ]+ OK ' "$log")))
	skipped=$((skipped + $(grep -cE '^lab: [^ ]+ SKIP ' "$log")))
	if [ -n "$again" ] && tests/lab/suite build/check $again >"$log.again" 2>&1; then
		passed=$((passed + $(wc -w <<<"$again")))
		second+=($again)
	elif [ -n "$again" ] || ! grep -qE '^[0-9]+ passed, 0 failed' "$log"; then
		failed=$((failed + 1))
		failures+=("the lab: ${again:-a boot did not end}")
		[ -e "$log.again" ] && cat "$log.again" || cp "$log" "$log.again"
		remember "the lab" "$log.again"
	fi
	rm -f "$log" "$log.again"
}

fuzz_minute="fuzz_network_xml fuzz_dhcp4 fuzz_dns_message fuzz_dns_server fuzz_rpc"
fuzz_others()
{
	(cd build/fuzz/tests/fuzz && ls | grep -E '^fuzz_[a-z0-9_]+$') | grep -vxF "$(printf '%s\n' $fuzz_minute)"
}

mkdir -p build
stage "build, gcc, warnings are errors"
configure build/check -Dprefix=/usr -Dsysconfdir=/etc -Dwerror=true -Dfaults=true && step "build" build build/check

stage "unit and namespace tests"
tests build/check "the gcc build" --no-suite alone --no-suite bench --num-processes 3
stage "tests with time limits, one at a time"
tests build/check "the tests with time limits" --suite alone --num-processes 1

if [ -z "$quick" ]; then
	stage "build with AddressSanitizer and UndefinedBehaviorSanitizer"
	configure build/asan -Dwerror=true -Dfaults=true -Db_sanitize=address,undefined -Db_lundef=false &&
		step "sanitizer build" build build/asan &&
		sanitized

	stage "build with ThreadSanitizer, and what has threads under it"
	configure build/tsan -Dwerror=true -Dfaults=true -Db_sanitize=thread -Db_lundef=false &&
		step "thread sanitizer build" build build/tsan &&
		NETD_CRASH_EVERY=${NETD_CRASH_ALL:-4} tests build/tsan "the thread sanitizer build" --timeout-multiplier 4 --num-processes 3 $threads

	stage "the lab: what needs Debian's whole kernel"
	NETD_SANITIZED_BUILD=$PWD/build/asan lab

	stage "the demo"
	step "demo.sh" ./demo.sh

	stage "fuzzing: a minute for each parser of a network's bytes, less for the others"
	CC=clang configure build/fuzz -Dfuzz=true -Dwerror=true -Db_lundef=false &&
		step "fuzz build" build build/fuzz &&
		for seconds in 60 10; do
			[ $seconds = 60 ] && targets=$fuzz_minute || targets=$(fuzz_others)
			step "fuzzing for $seconds s" tests/fuzz/run build/fuzz $seconds $targets >build/fuzz.log 2>&1 ||
				remember "fuzzing" build/fuzz.log
			cat build/fuzz.log
		done

	stage "benchmarks"
	export NETD_BENCH_ROUNDS=${NETD_BENCH_ROUNDS:-4} NETD_BENCH_NETWORKS=${NETD_BENCH_NETWORKS:-100}
	tests build/check "the benchmarks" --suite bench --num-processes 1 --verbose
fi

printf '\n'
cat "$details"
for f in "${failures[@]}"; do
	echo "failed: $f"
done
[ ${#second[@]} -eq 0 ] || echo "passed only on the second try: ${second[*]}"
echo "took $((SECONDS - started)) s"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
