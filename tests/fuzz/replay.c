/* SPDX-License-Identifier: GPL-2.0-or-later */
/* replay.c -- runs a fuzz target over the files of its corpus, as a unit test
 *
 *	replay_NAME DIRECTORY|FILE...
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned n_inputs;

static void feed(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *bytes;

	if (!f || fstat(fileno(f), &st) < 0) {
		fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
		exit(1);
	}
	/* Exactly as large as the input, so that sanitizers see a read past its end. */
	bytes = malloc(st.st_size ? (size_t)st.st_size : 1);
	if (!bytes || fread(bytes, 1, (size_t)st.st_size, f) != (size_t)st.st_size)
		exit(1);
	fclose(f);
	LLVMFuzzerTestOneInput(bytes, (size_t)st.st_size);
	free(bytes);
	n_inputs++;
}

static void feed_directory(const char *path, DIR *d)
{
	const struct dirent *e;
	char file[4096];

	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		feed(file);
	}
	closedir(d);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		DIR *d = opendir(argv[i]);

		if (d)
			feed_directory(argv[i], d);
		else
			feed(argv[i]);
	}
	printf("%u inputs\n", n_inputs);
	return n_inputs ? 0 : 1;	/* an empty corpus tests nothing */
}
