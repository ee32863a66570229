/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/bridge_policy.h"

#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/base/str.h"

enum { WORDS = 4 };	/* of a line at most */

struct verdict {
	bool allowed, denied;
};

static bool is_user(const struct bridge_asker *who, const char *name)
{
	const struct passwd *user;
	uint64_t uid;

	if (nd_parse_uint(name, 10, 0, UINT32_MAX - 1, &uid))
		return who->uid == uid;
	user = getpwnam(name);
	return user && user->pw_uid == who->uid;
}

static bool is_in_group(const struct bridge_asker *who, const char *name)
{
	const struct group *group;
	uint64_t gid;

	if (nd_parse_uint(name, 10, 0, UINT32_MAX - 1, &gid))
		return who->in_group(who->arg, (gid_t)gid);
	group = getgrnam(name);
	return group && who->in_group(who->arg, group->gr_gid);
}

/* How many words the line has, WORDS + 1: more than may be. Comments are no words. */
static size_t split(char *line, char *words[WORDS])
{
	size_t n = 0;
	char *word;

	line[strcspn(line, "#")] = '\0';
	while ((word = strsep(&line, " \t\r"))) {
		if (!*word)
			continue;
		if (n == WORDS)
			return WORDS + 1;
		words[n++] = word;
	}
	return n;
}

static int judge_line(char *line, const struct bridge_asker *who, struct verdict *v,
		      struct nd_error *err)
{
	char *words[WORDS];
	size_t n = split(line, words);
	bool allow, fits;

	if (n == 0)
		return 0;
	allow = nd_streq(words[0], "allow");
	if (!allow && !nd_streq(words[0], "deny"))
		return nd_error_set(err, ND_ERR_ACCESS_DENIED, "'%.64s' is neither allow nor deny", words[0]);
	if ((n != 2 && n != 4) ||
	    (n == 4 && !nd_streq(words[2], "user") && !nd_streq(words[2], "group")))
		return nd_error_set(err, ND_ERR_ACCESS_DENIED, "it must be '%s NETWORK', and 'user NAME' or "
				    "'group NAME' after it", words[0]);
	fits = nd_streq(words[1], "all") || nd_streq(words[1], who->network) ||
	       (who->bridge && nd_streq(words[1], who->bridge));
	if (fits && n == 4)
		fits = nd_streq(words[2], "user") ? is_user(who, words[3]) : is_in_group(who, words[3]);
	if (fits && allow)
		v->allowed = true;
	else if (fits)
		v->denied = true;
	return 0;
}

int bridge_policy_judge(const char *text, const char *file, const struct bridge_asker *who,
			struct nd_error *err)
{
	ND_AUTO(free) char *copy = strdup(text);
	struct verdict v = { 0 };
	char *rest = copy, *line;
	int r;

	if (!copy)
		return nd_error_nomem(err);
	for (int number = 1; (line = strsep(&rest, "\n")); number++) {
		r = judge_line(line, who, &v, err);
		if (r < 0) {
			(void)nd_error_prefix(err, "%s:%d", file, number);	/* r is kept */
			return r;
		}
	}
	if (v.allowed && !v.denied)
		return 0;
	return nd_error_set(err, ND_ERR_ACCESS_DENIED, "%s %s user %u the network '%s'", file,
			    v.denied ? "denies" : "does not allow", (unsigned)who->uid, who->network);
}
