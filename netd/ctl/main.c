/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netdctl -- the command for virtual networks: one more client of netd's calls */
#include <ctype.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netd/ctl/ctl.h"

#define URI_DEFAULT "netd:///system"
#define ESCAPE_DEFAULT (']' ^ 0x40)

static void usage(void)
{
	printf("netdctl [options]... [<command_string>]\n"
	       "netdctl [options]... <command> [args...]\n\n"
	       "  options:\n"
	       "    -c | --connect=URI      connection URI (default " URI_DEFAULT ")\n"
	       "    -s | --socket=PATH      netd's socket\n"
	       "    -e | --escape=KEY       the key that leaves a console (default ^])\n"
	       "    -h | --help             this help\n"
	       "    -q | --quiet            quiet mode\n"
	       "    -r | --readonly         connect readonly\n"
	       "    -v | --version          version\n"
	       "  commands (non interactive mode):\n\n");
	for (size_t i = 0; verb_groups[i]; i++)
		verb_print_group(verb_groups[i]);
	printf("  (specify help <group> for details about the commands in the group)\n\n"
	       "  (specify help <command> for details about the command)\n\n");
}

/* A character, or ^ and the one that is typed with Ctrl. */
static int escape_take(struct ctl *ctl, const char *text)
{
	char key = text[0] == '^' ? (char)toupper((unsigned char)text[1]) : '\0';

	if (text[0] && !text[1])
		ctl->escape = (unsigned char)text[0];
	else if (key >= '@' && key <= '_' && !text[2])
		ctl->escape = (unsigned char)key ^ 0x40;
	else
		return ctl_error("Invalid string '%s' for escape sequence", text);
	return 0;
}

/* -1: go on; else the exit status. */
static int options_take(struct ctl *ctl, int argc, char **argv, const char **uri)
{
	static const struct option longs[] = {
		{ "connect", required_argument, NULL, 'c' },
		{ "socket", required_argument, NULL, 's' },
		{ "escape", required_argument, NULL, 'e' },
		{ "help", no_argument, NULL, 'h' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "readonly", no_argument, NULL, 'r' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:c:s:e:hqrvV", longs, NULL)) != -1) {
		switch (c) {
		case 'c': case 's':
			*uri = optarg;
			break;
		case 'e':
			if (escape_take(ctl, optarg) < 0)
				return EXIT_FAILURE;
			break;
		case 'q':
			ctl->quiet = true;
			break;
		case 'r':
			ctl->read_only = true;
			break;
		case 'h':
			usage();
			return EXIT_SUCCESS;
		case 'v': case 'V':
			printf("%s\n", NETD_VERSION_TEXT);
			return EXIT_SUCCESS;
		case ':':
			ctl_error("option '%s' requires an argument", argv[optind - 1]);
			return EXIT_FAILURE;
		default:
			ctl_error("unsupported option '%s'. See --help.", argv[optind - 1]);
			return EXIT_FAILURE;
		}
	}
	return -1;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	if (argc == 0)
		return isatty(STDIN_FILENO) ? ctl_run_shell(ctl) : ctl_run_stream(ctl, stdin);
	if (argc == 1)
		return ctl_run_line(ctl, argv[0]);
	return ctl_run_words(ctl, argv, (size_t)argc);
}

int main(int argc, char **argv)
{
	const char *env = getenv("NETD_SOCKET"), *uri = env && *env ? env : URI_DEFAULT;
	struct ctl ctl = { .escape = ESCAPE_DEFAULT };
	int status;

	setlocale(LC_ALL, "");
	setlocale(LC_NUMERIC, "C");	/* JSON's numbers */
	signal(SIGPIPE, SIG_IGN);
	status = options_take(&ctl, argc, argv, &uri);
	if (status >= 0)
		return status;
	ctl.uri = strdup(uri);
	if (!ctl.uri)
		return EXIT_FAILURE;
	status = run(&ctl, argc - optind, argv + optind);
	ctl_disconnect(&ctl);
	free(ctl.uri);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "error: the output cannot be written\n");
		return EXIT_FAILURE;
	}
	return status;
}
