/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/guest_console.h"

void guest_console_end(struct guest *g)
{
}
