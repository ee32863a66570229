/* SPDX-License-Identifier: GPL-2.0-or-later */
/* param.h -- a typed parameter's value, as virsh prints it and as JSON */
#pragma once
#include <jansson.h>

#include "netd/rpc/protocol.h"

/* To be freed; NULL: out of memory. */
char *param_text(const lv_param *p);
json_t *param_json(const lv_param *p);
