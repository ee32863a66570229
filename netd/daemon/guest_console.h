/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_console.h -- a client at a guest's serial port */
#pragma once
#include "netd/daemon/guest.h"

/* The guest is gone: the client at its console is told the end. */
void guest_console_end(struct guest *g);
