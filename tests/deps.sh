# deps.sh -- the Debian packages that building, the demo and the tests need
# Sourced by demo.sh and check.sh: `deps_install build demo test`.
# shellcheck shell=bash

deps_build="gcc libc6-dev meson ninja-build pkg-config libnl-3-dev libnl-route-3-dev libmnl-dev
	libnftnl-dev libxml2-dev libsystemd-dev libsqlite3-dev libseccomp-dev libtirpc-dev rpcsvc-proto
	libjansson-dev libpcap-dev libedit-dev liburing-dev check"
deps_demo="iproute2 nftables busybox-static cpio kmod zstd qemu-system-x86 dnsmasq-base procps"
deps_test="clang libclang-rt-14-dev libxml2-utils iproute2 nftables iptables busybox-static udhcpc
	isc-dhcp-client bind9-dnsutils iputils-ping iputils-arping iperf3 libvirt-clients python3 python3-libvirt
	libsys-virt-perl jing tcpdump conntrack ethtool valgrind man-db procps psmisc universal-ctags acpica-tools lz4
	openssh-server openssh-client openvswitch-switch lldpad"
deps_peers="libvirt-daemon-system libvirt-daemon-driver-qemu ruby-libvirt ruby golang-go
	golang-github-digitalocean-go-libvirt-dev ansible python3-lxml libvirt-dbus dbus python3-gi dnsmasq-base virt-manager xvfb xdotool polkitd"
deps_bench="dnsmasq-base kea-dhcp4-server kea-admin dnsperf libvirt-daemon-system libiperf-dev libssl-dev libsctp-dev"

# Installs the packages of the named groups that are missing; quiet unless it fails.
deps_install()
{
	local group name missing=() log

	for group; do
		group=deps_$group
		for name in ${!group}; do
			dpkg-query -W -f '${Status}' "$name" 2>/dev/null |
				grep -q '^install ok' || missing+=("$name")
		done
	done
	[ ${#missing[@]} -eq 0 ] && return 0
	echo "installing ${#missing[@]} packages: ${missing[*]}"
	log=$(mktemp)
	# Services that come with a test peer must not start on this host: policy-rc.d says no.
	local policy=/usr/sbin/policy-rc.d made=
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy && made=1
	fi
	if ! { DEBIAN_FRONTEND=noninteractive apt-get update &&
	       DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
			"${missing[@]}"; } >"$log" 2>&1; then
		cat "$log" >&2
		[ -z "$made" ] || rm -f $policy
		echo "could not install the packages above" >&2
		return 1
	fi
	[ -z "$made" ] || rm -f $policy
	rm -f "$log"
}
