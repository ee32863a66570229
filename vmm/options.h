/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.h -- a guest described on the command line, for tests and benches without netd */
#pragma once
#include <stdbool.h>

#include "vmm/config.h"

struct options {
	struct vmm_config config;
	int console_in_fd;		/* -1: the console's own */
	bool sandbox, debug;
};

/* Opens what is named. The caller fini()s the config also after an error. */
int options_parse(int argc, char **argv, struct options *o, struct nd_error *err);
extern const char options_help[];
