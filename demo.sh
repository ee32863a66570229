#!/bin/bash
# demo.sh -- installs what is needed, builds netd, and shows a real guest on its default network
#
#	sudo ./demo.sh
#
# Everything runs in namespaces of its own: the host's network, its libvirt and its firewall see
# nothing of it, and nothing is left when it ends.
set -euo pipefail
top=$(dirname "$(readlink -f "$0")")
cd "$top"
[ "$(id -u)" = 0 ] || { echo "demo.sh must run as root: it makes network namespaces and a guest" >&2; exit 1; }

say()
{
	printf '\n\033[1m== %s\033[0m\n' "$*"
}

show()
{
	printf '\033[2m$ %s\033[0m\n' "${*//"$top/build/demo/netd/ctl/"/}"
	"$@"
}

prepare()
{
	. tests/deps.sh
	deps_install build demo
	mkdir -p build
	[ -d build/demo/meson-info ] ||
		meson setup build/demo --buildtype=release -Dtests=false >build/demo.log 2>&1 ||
		{ cat build/demo.log >&2; exit 1; }
	ninja -C build/demo >build/demo.log 2>&1 || { cat build/demo.log >&2; exit 1; }
	tests/lab/guest build/guest tests/lab/guest-demo
}

if [ -z "${NETD_DEMO_INSIDE:-}" ]; then
	say "Building netd and a small Linux guest"
	prepare
	export NETD_DEMO_INSIDE=1
	exec unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private "$0"
fi

# From here on we are alone: our own network, mounts and processes.
mount -t tmpfs -o mode=755 tmpfs /run
mount -t sysfs sysfs /sys
root=$(mktemp -d /run/netd-demo.XXXXXX)
chmod 755 "$root"
mkdir -p /run/netns "$root/www"
bin=$top/build/demo
netdctl()
{
	"$bin/netd/ctl/netdctl" -c "network:///system?socket=$root/run/netd/netd-sock" "$@"
}

# The world behind the uplink: a web server and a name server at 198.51.100.1.
ip link set lo up
ip netns add internet
ip link add uplink0 type veth peer name eth0 netns internet
ip addr add 198.51.100.2/24 dev uplink0
ip link set uplink0 up
ip netns exec internet sh -c 'ip link set lo up; ip addr add 198.51.100.1/24 dev eth0; ip link set eth0 up'
until ip route add default via 198.51.100.1 2>/dev/null; do sleep 0.1; done
dd if=/dev/urandom of="$root/www/file" bs=1M count=16 status=none
ip netns exec internet dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user=root \
	--pid-file --bind-interfaces --listen-address=198.51.100.1 --host-record=www.example,198.51.100.1 &
ip netns exec internet busybox httpd -f -h "$root/www" &
echo "nameserver 198.51.100.1" >"$root/resolv.conf"
mount --bind "$root/resolv.conf" /etc/resolv.conf 2>/dev/null ||
	mount --bind "$root/resolv.conf" "$(readlink -f /etc/resolv.conf)"
ip -br link >"$root/links.before"
nft list ruleset >"$root/rules.before"

say "Starting netd in a network namespace of its own"
NETD_SCHEMAS=$top/xml-schemas NETD_NWFILTERS=$top/netd/nwfilter NETD_VMM=$bin/vmm/netd-vmm "$bin/netd/daemon/netd" --root "$root" \
	--serve "$bin/netd/serve/netd-serve" 2>"$root/netd.log" &
netd=$!
for _ in $(seq 100); do
	[ -S "$root/run/netd/netd-sock" ] && break
	kill -0 $netd 2>/dev/null || { cat "$root/netd.log" >&2; exit 1; }
	sleep 0.05
done

say "The default NAT network: defined from examples/default.xml, then started"
show netdctl net-define examples/default.xml
show netdctl net-start default
show netdctl net-list

# netd-vmm needs KVM, QEMU does without.
start_guest()
{
	local kernel=build/guest/vmlinuz initrd=build/guest/initrd mac=52:54:00:de:80:01
	if [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo; then
		show netdctl run --kernel $kernel --initrd $initrd --network default --name demo-guest \
			--append "quiet panic=-1"
	else
		show netdctl net-plug default --mac $mac --exec -- \
			qemu-system-x86_64 -M q35 -accel tcg -cpu max -m 256 -display none -nodefaults -no-reboot \
			-serial stdio -kernel $kernel -initrd $initrd -append "console=ttyS0 quiet panic=-1" \
			-netdev "tap,id=net0,fd=%fd" -device "virtio-net-pci,netdev=net0,mac=$mac"
	fi
}

say "A guest: Debian's kernel on a TAP that netd plugs into the network"
start_guest </dev/null | tee "$root/guest.log" | sed -un 's/\r$//; s/.*\[guest\]/  [guest]/p; /^\x1b\[2m\$/p' &
guest=$!
for _ in $(seq 600); do
	grep -q 'hold the line' "$root/guest.log" 2>/dev/null && break
	kill -0 $guest 2>/dev/null || break
	sleep 0.1
done

say "What netd knows of it"
show netdctl net-dhcp-leases default
say "The network as a picture"
show netdctl net-map
wait $guest || true

failed=
for word in 'lease: 192.168.122' 'name: www.example' 'ping: 3 packets' 'transfer: 16777216 bytes'; do
	grep -qF "$word" "$root/guest.log" || { failed=1; echo "MISSING from the guest's console: $word" >&2; }
done

say "Stopping everything, and what is left"
show netdctl net-destroy default
show netdctl net-undefine default
kill $netd
wait $netd 2>/dev/null || true
ip -br link >"$root/links.after"
nft list ruleset >"$root/rules.after"
if diff "$root/links.before" "$root/links.after" && diff "$root/rules.before" "$root/rules.after"; then
	echo "nothing: links and firewall rules are as before netd started"
else
	failed=1
fi
if [ -n "$failed" ]; then
	echo "the demo FAILED; netd's log:" >&2
	cat "$root/netd.log" >&2
	tail -20 "$root/guest.log" >&2
	exit 1
fi
say "Done"
