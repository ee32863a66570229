/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sanitize.h -- whether this build has a sanitizer in it that needs address space and system calls of its own
 *
 * Never in a build for production.
 */
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ND_SANITIZED 1
#else
#define ND_SANITIZED 0
#endif
