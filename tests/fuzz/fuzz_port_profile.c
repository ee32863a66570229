/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lldpad, and a physical function, answer: whatever stands in the message, reading stays inside of it. */
#include <stdlib.h>
#include <string.h>

#include "datapath/port_profile.h"
#include "datapath/vf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct nd_uuid instance = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } };
	const struct port_profile profiles[] = {
		{ .kind = PORT_PROFILE_QBG, .instance = instance },
		{ .kind = PORT_PROFILE_QBH, .vf = 3 },
		{ .kind = PORT_PROFILE_QBH, .vf = (uint32_t)PORT_SELF_VF },
	};
	struct nlmsghdr *msg = malloc(sizeof(*msg) + size);	/* just as long, so that a sanitizer sees more */
	struct nd_error err = { 0 };
	struct vf_setting setting;

	*msg = (struct nlmsghdr){ .nlmsg_type = RTM_NEWLINK, .nlmsg_len = (uint32_t)(sizeof(*msg) + size) };
	memcpy(msg + 1, data, size);
	for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
		int response = port_profile_response(msg, &profiles[i]);

		if (response < PORT_PROFILE_NO_RESPONSE || response > UINT16_MAX)
			abort();
		(void)port_profile_judge(response, &profiles[i], &err);
	}
	(void)vf_decode(msg, 3, &setting);
	free(msg);
	return 0;
}
