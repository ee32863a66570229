/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iperf_server.c -- iperf3's server, for guests without libraries
 *
 * Static: kvmtool shows its guests a CPU of a vendor that the C library's loader refuses.
 */
#include <stdint.h>

#include <iperf_api.h>
#include <stddef.h>

int main(void)
{
	struct iperf_test *test = iperf_new_test();

	if (!test || iperf_defaults(test) < 0)
		return 1;
	iperf_set_test_role(test, 's');
	for (;;) {
		(void)iperf_run_server(test);	/* what a client did wrong is the client's to tell */
		iperf_reset_test(test);
	}
}
