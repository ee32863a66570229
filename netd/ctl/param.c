/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/param.h"

#include "netd/base/str.h"
#include "netd/ctl/ctl.h"

char *param_text(const lv_param *p)
{
	struct nd_str s = { 0 };

	switch (p->value.type) {
	case LV_PARAM_INT:
		nd_str_addf(&s, "%d", p->value.lv_param_value_u.i);
		break;
	case LV_PARAM_UINT:
		nd_str_addf(&s, "%u", p->value.lv_param_value_u.ui);
		break;
	case LV_PARAM_LLONG:
		nd_str_addf(&s, "%lld", (long long)p->value.lv_param_value_u.l);
		break;
	case LV_PARAM_ULLONG:
		nd_str_addf(&s, "%llu", (unsigned long long)p->value.lv_param_value_u.ul);
		break;
	case LV_PARAM_DOUBLE:
		nd_str_addf(&s, "%f", p->value.lv_param_value_u.d);
		break;
	case LV_PARAM_BOOLEAN:
		nd_str_add(&s, p->value.lv_param_value_u.b ? "yes" : "no");
		break;
	case LV_PARAM_STRING:
		nd_str_add(&s, p->value.lv_param_value_u.s);
		break;
	}
	return nd_str_take(&s);
}

json_t *param_json(const lv_param *p)
{
	switch (p->value.type) {
	case LV_PARAM_INT:
		return json_integer(p->value.lv_param_value_u.i);
	case LV_PARAM_UINT:
		return json_integer(p->value.lv_param_value_u.ui);
	case LV_PARAM_LLONG:
		return json_integer(p->value.lv_param_value_u.l);
	case LV_PARAM_ULLONG:
		return json_integer((json_int_t)p->value.lv_param_value_u.ul);
	case LV_PARAM_DOUBLE:
		return json_real(p->value.lv_param_value_u.d);
	case LV_PARAM_BOOLEAN:
		return json_boolean(p->value.lv_param_value_u.b);
	default:
		return ctl_json_string(p->value.lv_param_value_u.s);
	}
}
