/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netd/base/auto.h"

/* NET_*: links, rules, packet sockets, port 53. The rest is for servers: other uids (SETUID,
 * SETGID), no way back (SETPCAP), their own root (SYS_CHROOT), their lease folders (CHOWN, and
 * DAC_OVERRIDE to remove what they wrote), their end (KILL). */
static const int needed[] = {
	CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE, CAP_SETUID, CAP_SETGID, CAP_SETPCAP,
	CAP_SYS_CHROOT, CAP_CHOWN, CAP_KILL, CAP_DAC_OVERRIDE,
};

static uint64_t needed_mask(void)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < ND_COUNT(needed); i++)
		mask |= UINT64_C(1) << needed[i];
	return mask;
}

int privilege_reduce(struct nd_error *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	uint64_t keep = needed_mask();

	if (geteuid() != 0)
		return 0;
	if (syscall(SYS_capget, &head, data) < 0)
		return nd_error_sys(err, errno, "cannot read the capabilities");
	keep &= data[0].permitted | (uint64_t)data[1].permitted << 32;
	/* The bounding set first: dropping from it takes SETPCAP. EINVAL: the kernel's last one. */
	for (int cap = 0; cap <= 63 && prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (!(keep >> cap & 1) && prctl(PR_CAPBSET_DROP, cap) < 0 && errno != EPERM)
			return nd_error_sys(err, errno, "cannot drop capability %d", cap);
	for (int i = 0; i < 2; i++) {
		data[i].permitted = (uint32_t)(keep >> 32 * i);
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &head, data) < 0)
		return nd_error_sys(err, errno, "cannot give up capabilities");
	return 0;
}
