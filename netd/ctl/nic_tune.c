/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/nic_tune.h"

#include "netd/base/auto.h"
#include "netd/ctl/document.h"
#include "netd/ctl/domain.h"
#include "netd/ctl/param.h"
#include "netd/ctl/rate.h"

/* What is set: the average always, of the rest what was given. Field names are borrowed. */
struct tune {
	lv_param params[LV_PORT_PARAMS_MAX];
	u_int n;
};

static void tune_add(struct tune *t, const char *field, uint64_t value)
{
	t->params[t->n++] = (lv_param){
		.field = (char *)field,		/* only read */
		.value = { .type = LV_PARAM_UINT, .lv_param_value_u.ui = (u_int)value },
	};
}

static int tune_direction(struct tune *t, const char *word, bool inbound)
{
	struct rate r;

	if (!word)
		return 0;
	if (rate_parse(word, &r) < 0)
		return -1;
	if (r.average > UINT32_MAX || r.peak > UINT32_MAX || r.burst > UINT32_MAX || r.floor > UINT32_MAX)
		return ctl_error("%s rate larger than maximum %u", inbound ? "inbound" : "outbound",
				 UINT32_MAX);
	if (rate_check(&r, inbound, false) < 0)
		return -1;
	tune_add(t, inbound ? "inbound.average" : "outbound.average", r.average);
	if (r.peak)
		tune_add(t, inbound ? "inbound.peak" : "outbound.peak", r.peak);
	if (r.burst)
		tune_add(t, inbound ? "inbound.burst" : "outbound.burst", r.burst);
	if (r.floor)
		tune_add(t, "inbound.floor", r.floor);
	return 0;
}

static int tune_set(struct ctl *ctl, const struct tune *t, const lv_dom *dom, const char *device,
		    unsigned flags, struct nd_error *err)
{
	lv_domain_set_interface_parameters_args ask = {
		.dom = *dom, .device = (char *)device, .flags = flags,
		.params = { t->n, (lv_param *)t->params },
	};

	return call_lv(ctl, LV_PROC_DOMAIN_SET_INTERFACE_PARAMETERS,
		       CALL_XDR(lv_domain_set_interface_parameters_args), &ask, NULL, NULL, err) < 0
	       ? ctl_error("Unable to set interface parameters") : 0;
}

static int tune_print(const struct verb_args *args, const lv_domain_get_interface_parameters_ret *ret)
{
	json_t *doc = json_object();

	for (u_int i = 0; i < ret->params.params_len; i++) {
		const lv_param *p = &ret->params.params_val[i];
		ND_AUTO(free) char *value = param_text(p);

		json_object_set_new(doc, p->field, param_json(p));
		if (!arg_json(args) && value)
			printf("%-15s: %s\n", p->field, value);
	}
	if (arg_json(args))
		return ctl_print_json(doc);
	json_decref(doc);
	return 0;
}

/* First how many there are, then they themselves. */
static int tune_get(struct ctl *ctl, const struct verb_args *args, const lv_dom *dom,
		    const char *device, unsigned flags, struct nd_error *err)
{
	lv_domain_get_interface_parameters_args ask = {
		.dom = *dom, .device = (char *)device, .flags = flags,
	};
	lv_domain_get_interface_parameters_ret ret = { 0 };
	int r;

	if (call_lv(ctl, LV_PROC_DOMAIN_GET_INTERFACE_PARAMETERS,
		    CALL_XDR(lv_domain_get_interface_parameters_args), &ask,
		    CALL_XDR(lv_domain_get_interface_parameters_ret), &ret, err) < 0)
		return ctl_error("Unable to get number of interface parameters");
	ask.nparams = ret.nparams;
	xdr_free(CALL_XDR(lv_domain_get_interface_parameters_ret), &ret);
	ret = (lv_domain_get_interface_parameters_ret){ 0 };
	if (ask.nparams &&
	    call_lv(ctl, LV_PROC_DOMAIN_GET_INTERFACE_PARAMETERS,
		    CALL_XDR(lv_domain_get_interface_parameters_args), &ask,
		    CALL_XDR(lv_domain_get_interface_parameters_ret), &ret, err) < 0)
		return ctl_error("Unable to get interface parameters");
	r = tune_print(args, &ret);
	xdr_free(CALL_XDR(lv_domain_get_interface_parameters_ret), &ret);
	return r;
}

int nic_tune_run(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *device = arg_string(args, "interface");
	ND_AUTO(dom_fini) lv_dom dom = { 0 };
	struct tune t = { .n = 0 };
	unsigned flags;

	if (document_affect(args, &flags) < 0 ||
	    dom_find(ctl, arg_string(args, "domain"), DOM_BY_ANY, &dom, err) < 0 ||
	    tune_direction(&t, arg_string(args, "inbound"), true) < 0 ||
	    tune_direction(&t, arg_string(args, "outbound"), false) < 0)
		return -1;
	return t.n ? tune_set(ctl, &t, &dom, device, flags, err)
		   : tune_get(ctl, args, &dom, device, flags, err);
}
