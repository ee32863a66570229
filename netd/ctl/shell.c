/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interactive shell: prompt, history, completion (libedit). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <editline/readline.h>

#include "netd/base/auto.h"
#include "netd/base/effect.h"
#include "netd/ctl/complete.h"
#include "netd/ctl/words.h"

#define HISTORY_LINES 500

/* libedit's completion hooks have no argument for their user. Set while the shell runs. */
static struct ctl *shell_ctl;
static struct completions shell_proposals;

static char *next_proposal(const char *text, int state)
{
	static size_t at;

	if (state == 0)
		at = 0;
	return at < shell_proposals.n ? strdup(shell_proposals.words[at++]) : NULL;
}

static char **on_complete(const char *text, int start, int end)
{
	ND_AUTO(free) char *before = strndup(rl_line_buffer, (size_t)start);
	struct word_list list = { 0 };
	const char *why;
	char **matches = NULL;
	size_t first;

	if (!before || words_split(before, true, &list, &why) < 0)
		return NULL;
	for (first = list.n; first > 0 && list.words[first - 1]; first--)
		;
	completions_free(&shell_proposals);
	complete_words(shell_ctl, list.words + first, list.n - first, text, &shell_proposals);
	if (shell_proposals.n)
		matches = rl_completion_matches(text, next_proposal);
	words_free(&list);
	return matches;		/* none: libedit proposes files */
}

static int make_folder(const char *path)
{
	if (nd_effect(ND_EFFECT_FILE, "make folder for the history") < 0)
		return -1;
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -1 : 0;
}

/* NULL: no place for it. Makes the folders above. */
static char *history_path(void)
{
	const char *given = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	ND_AUTO(nd_str_free) struct nd_str path = { 0 };

	if (given && *given)
		nd_str_add(&path, given);
	else if (home && *home)
		nd_str_addf(&path, "%s/.cache", home);
	if (!path.len || path.failed || make_folder(path.text) < 0)
		return NULL;
	nd_str_add(&path, "/netdctl");
	if (path.failed || make_folder(path.text) < 0)
		return NULL;
	nd_str_add(&path, "/history");
	return nd_str_take(&path);
}

static void greet(const struct ctl *ctl)
{
	ctl_say(ctl, "Welcome to netdctl, the virtual networks' interactive terminal.\n\n"
		"Type:  'help' for help with commands\n       'quit' to quit\n\n");
}

int ctl_run_shell(struct ctl *ctl)
{
	ND_AUTO(free) char *history = history_path();
	int status = EXIT_SUCCESS;

	ctl->interactive = true;
	shell_ctl = ctl;
	rl_readline_name = (char *)"netdctl";
	rl_attempted_completion_function = on_complete;
	using_history();
	stifle_history(HISTORY_LINES);
	if (history)
		(void)read_history(history);	/* the first time there is none */
	greet(ctl);
	while (!ctl->quit) {
		ND_AUTO(free) char *line = readline(ctl->read_only ? "netdctl > " : "netdctl # ");

		if (!line) {
			putchar('\n');
			break;
		}
		if (*line)
			add_history(line);
		status = ctl_run_line(ctl, line);
	}
	if (history && nd_effect(ND_EFFECT_FILE, "write history") == 0)
		(void)write_history(history);	/* not worth a word */
	completions_free(&shell_proposals);
	shell_ctl = NULL;
	return ctl->quit ? ctl->exit_status : status;
}
