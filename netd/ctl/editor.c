/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/editor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netd/base/auto.h"
#include "netd/base/effect.h"
#include "netd/ctl/calls.h"

static const char *editor_name(void)
{
	const char *name = getenv("VISUAL");

	if (!name || !*name)
		name = getenv("EDITOR");
	return name && *name ? name : "vi";
}

/* The editor's name may hold options ("code --wait"), so a shell runs it. */
static int editor_spawn(const char *path, struct nd_error *err)
{
	const char *editor = editor_name();
	ND_AUTO(free) char *command = NULL;
	int status = 0;
	pid_t pid;

	if (asprintf(&command, "%s \"$1\"", editor) < 0) {
		command = NULL;
		return nd_error_nomem(err);
	}
	if (nd_effect(ND_EFFECT_PROCESS, "fork editor") < 0)
		return nd_error_sys(err, EAGAIN, "cannot start '%s'", editor);
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return nd_error_sys(err, errno, "cannot start '%s'", editor);
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, "sh", path, NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return nd_error_sys(err, errno, "cannot wait for '%s'", editor);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "the editor '%s' failed",
				    editor);
	return 0;
}

static int write_all(int fd, const char *text, struct nd_error *err)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t n = write(fd, text, left);

		if (n < 0)
			return nd_error_sys(err, errno, "cannot write the temporary file");
		text += n;
		left -= (size_t)n;
	}
	return 0;
}

static int edit_file(int fd, const char *path, const char *text, char **out, struct nd_error *err)
{
	int r = write_all(fd, text, err);

	if (r == 0)
		r = editor_spawn(path, err);
	return r == 0 ? file_read(path, out, err) : r;
}

int editor_run(const char *text, char **out, struct nd_error *err)
{
	const char *dir = getenv("TMPDIR");
	ND_AUTO(free) char *path = NULL;
	ND_AUTO(close) int fd = -1;
	int r;

	if (asprintf(&path, "%s/netdctlXXXXXX.xml", dir && *dir ? dir : "/tmp") < 0) {
		path = NULL;
		return nd_error_nomem(err);
	}
	if (nd_effect(ND_EFFECT_FILE, "create temporary file") < 0)
		return nd_error_sys(err, EIO, "cannot create '%s'", path);
	fd = mkstemps(path, 4);
	if (fd < 0)
		return nd_error_sys(err, errno, "cannot create '%s'", path);
	r = edit_file(fd, path, text, out, err);
	if (nd_effect(ND_EFFECT_FILE, "remove temporary file") == 0)
		(void)unlink(path);	/* left in TMPDIR at worst */
	return r;
}

bool editor_ask_again(struct nd_error *err)
{
	char text[sizeof(err->text) + 128], answer[16];

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return false;
	nd_error_format(err, text, sizeof(text));
	ctl_error("%s", text);
	err->kind = ND_ERR_OK;		/* shown already */
	for (;;) {
		printf("Failed. Try again? [y,n]: ");
		fflush(stdout);
		if (!fgets(answer, sizeof(answer), stdin))
			return false;
		if (answer[0] == 'y' || answer[0] == 'Y')
			return true;
		if (answer[0] == 'n' || answer[0] == 'N')
			return false;
	}
}
