/* tar.h -- members of a tar archive, strictly: nothing is ever extracted.
 * SPDX-License-Identifier: MIT
 *
 * ustar, old V7, GNU long names, pax path and size.  Regular files are
 * handed out; directories and labels are passed over; links, devices, sparse
 * members and multi-volume archives are refused.  Pax size and header size
 * that differ, bad checksums, sizes beyond the file, a missing end (at least
 * one block of zeros) and bytes behind it are ERR_FORMAT with the offset.
 * Names are labels: whatever they hold, no file is made of them.  Compressed
 * input is recognised and refused with the pipe to use.  */
#ifndef ADZE_DATA_TAR_H
#define ADZE_DATA_TAR_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct err;
struct out;

struct tar_member {
    const char *name; /* valid until the next call */
    const unsigned char *data;
    size_t n;
    size_t offset; /* of the data in the archive */
};

/* Over memory: zero-initialise, set data and n.  */
struct tar {
    const unsigned char *data;
    size_t n, pos;
    int ended; /* the closing zeros were seen */
    struct str name;
};

/* The bytes look like a tar.  */
int tar_is(const unsigned char *p, size_t n);
/* ERR_UNSUPPORTED with the pipe to use if they are a compressed file or
 * another kind of archive; else 0.  */
int tar_foreign(const unsigned char *p, size_t n, struct err *e);
/* 1 and the next regular member, 0 behind the last, -1.  */
int tar_next(struct tar *t, struct tar_member *m, struct err *e);
void tar_release(struct tar *t);

/* Write one member (mode 0644, time 0, owner 0: repeatable), and the end.  */
int tar_write(struct out *o, const char *name, const void *p, size_t n,
              struct err *e);
int tar_write_end(struct out *o, struct err *e);

int fuzz_tar(const uint8_t *p, size_t n);

#endif
