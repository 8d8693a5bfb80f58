/* banned.h -- functions that we do not call: they cannot report an error or
 * do not know how large their target is.  Included by the compiler's -include
 * in every file of ours.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_BASE_BANNED_H
#define ADZE_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets strtok
#pragma GCC poison atoi atol atoll atof rand srand random srandom asctime ctime

#endif
