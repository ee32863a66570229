/* SPDX-License-Identifier: GPL-2.0-or-later */
/* editor.h -- the user's editor on a text */
#pragma once
#include <stdbool.h>

#include "netd/base/error.h"

/* Runs $VISUAL, $EDITOR or vi on a private temporary file with the text; the caller frees what it
 * was when the editor ended. */
int editor_run(const char *text, char **out, struct nd_error *err);
/* The change was refused with err: shows it and asks whether to edit again. False without a
 * terminal to ask on; then err is still to be shown. */
bool editor_ask_again(struct nd_error *err);
