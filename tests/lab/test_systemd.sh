#!/bin/bash
# test_systemd.sh -- netd as a service of systemd: started, restarted and killed while a guest talks
#
#	tests/lab/test_systemd.sh BUILD
#
# BUILD is configured with --prefix=/usr --sysconfdir=/etc. It is installed in the lab, where systemd is
# PID 1. Nothing of the guest's traffic, its lease and its names may suffer.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")

if [ "${1:-}" != --inside ]; then
	build=$(readlink -f "${1:?which build folder?}")
	rm -rf "$build/lab-install"
	DESTDIR=$build/lab-install meson install -C "$build" --no-rebuild --quiet
	"$here/run" --timeout 400 --append "lab.init=/lib/systemd/systemd systemd.unit=lab-main.service" \
		-- "$here/test_systemd.sh" --inside "$build/lab-install"
	exit
fi

fail()
{
	echo "FAILED: $*"
	journalctl -u netd --no-pager -o cat | tail -60
	exit 1
}

in_guest()
{
	ip netns exec guest "$@"
}

lease()
{
	in_guest busybox udhcpc -i eth0 -f -q -n -t 5 -T 2 -x hostname:alpha -s "$here/../netns/udhcpc.script" |
		sed -n 's/^LEASE ip=//p'
}

wait_until()	# seconds, command...
{
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || fail "not in time: $*"
		sleep 0.2
	done
}

# Pings at 100 Hz, keeps a TCP stream open and asks for names while the command runs.
undisturbed()
{
	# not in_guest: a function in the background is a shell of its own, and has the number
	ip netns exec guest ping -n -q -i 0.01 -W 5 198.51.100.1 >/run/ping 2>&1 &
	local ping=$!
	ip netns exec guest iperf3 -c 198.51.100.1 -b 2M -t 600 >/run/iperf 2>&1 &
	local stream=$!
	while sleep 0.2; do
		in_guest dig +short +tries=1 +time=3 alpha @192.168.122.1 || echo none
	done >/run/names 2>&1 &
	local names=$!
	sleep 2
	"$@" || fail "$* failed"
	wait_until 60 systemctl is-active netd
	sleep 2
	kill -INT $ping
	wait $ping || fail "packets were lost: $(tail -2 /run/ping)"
	kill -0 $stream || fail "the TCP stream ended: $(cat /run/iperf)"
	kill $stream $names
	wait $stream $names || true
	sleep 1		# the other end is ready for the next
	grep -q ' 0% packet loss' /run/ping || fail "packets were lost: $(cat /run/ping)"
	[ "$(sort -u /run/names)" = "$ip" ] || fail "the name was not answered: $(sort /run/names | uniq -c)"
	[ "$(lease)" = "$ip" ] || fail "another lease than $ip"
	netdctl net-dhcp-leases default | grep -q "$ip" || fail "the lease $ip is forgotten"
	echo "undisturbed by: $*: $(grep loss /run/ping), $(wc -l </run/names) names"
}

cp -a "$2"/. /
ldconfig
systemd-sysusers
systemctl daemon-reload
systemctl start netd.socket netd-ro.socket
systemctl start netd || fail "netd does not start"
wait_until 30 ip link show virbr0
systemd-analyze security netd --no-pager | tail -1
[ "$(stat -c '%a %G' /run/netd/netd-sock)" = "660 netd" ] || fail "the socket is $(ls -l /run/netd/netd-sock)"

ip netns add outside
ip link add uplink type veth peer name eth0 netns outside
ip address add 198.51.100.2/24 dev uplink
ip link set uplink up
ip netns exec outside sh -c 'ip link set lo up; ip link set eth0 up; ip address add 198.51.100.1/24 dev eth0'
ip netns exec outside iperf3 -s -D
ip netns add guest
ip link add vguest type veth peer name eth0 netns guest
ip link set vguest master virbr0 up
in_guest ip link set lo up
in_guest ip link set eth0 up
ip=$(lease)
[ -n "$ip" ] || fail "no lease"
in_guest ip route show default | grep -q 192.168.122.1 || fail "no default route"
wait_until 10 in_guest ping -c 1 -W 2 198.51.100.1

servers=$(pgrep -x netd-serve)	# the network's, and spares, which end with netd
undisturbed systemctl restart netd
pgrep -x netd-serve | grep -x "$servers" >/dev/null || fail "the server was not adopted"
undisturbed systemctl reload netd
undisturbed systemctl kill --signal=KILL --kill-whom=main netd
wait_until 30 netdctl net-list
echo "systemd: all is well"
