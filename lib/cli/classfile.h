/* classfile.h -- names of classes, one a line.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CLI_CLASSFILE_H
#define ADZE_CLI_CLASSFILE_H

struct err;
struct model;

/* M's classes become those of the file PATH ("-" is standard input), as many
 * as its head has.  ERR_FORMAT names a line that is empty, no UTF-8, or there
 * twice, and where there are too many or too few.  */
int classfile_read(struct model *m, const char *path, struct err *e);

#endif
