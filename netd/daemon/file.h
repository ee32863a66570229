/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file.h -- whole files: read at once, replaced at once */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Reads a regular file of at most max bytes into a NUL-terminated buffer that the caller frees;
 * -EFBIG when it is longer. len_out may be NULL. */
int file_read(int dir_fd, const char *name, size_t max, char **out, size_t *len_out);

/*
 * Puts text in the place of file `name` of a directory: afterwards, also after a power cut, there
 * is the old file or the new one. On failure the old one is there as before. durable: wait until
 * it is on disk (not needed on a tmpfs).
 */
int file_replace(int dir_fd, const char *name, const char *text, mode_t mode, bool durable);

/* Removes a file; one that is not there is fine. */
int file_remove(int dir_fd, const char *name, bool durable);

/* Left behind in a directory by a crash in the middle of file_replace(): removed. */
void file_sweep(int dir_fd);
