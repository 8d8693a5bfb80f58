/* stfile.c -- see stfile.h.
 * SPDX-License-Identifier: MIT  */
#include "stfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "base/stream.h"
#include "tensor/safetensors.h"
#include "tensor/set.h"

char stfile_path[] = "/tmp/adze-st-XXXXXX";

int stfile_setup(void **state)
{
    const int fd = mkstemp(stfile_path);

    (void)state;
    return fd < 0 || close(fd) < 0 || unlink(stfile_path) < 0 ? -1 : 0;
}

/* ---- by hand ---- */

void stfile_make(struct str *f, const char *header, size_t n)
{
    const size_t len = strlen(header);

    str_clear(f);
    for (int i = 0; i < 8; i++)
        str_addc(f, (char)(len >> (8 * i) & 0xff));
    str_add(f, header);
    while (n--)
        str_addc(f, 0);
}

int stfile_parse(struct set *s, const struct str *f, size_t shift,
                 struct err *e)
{
    static unsigned char *block; /* lives until the next call */

    free(block);
    block = malloc(f->len + shift + 1);
    memcpy(block + shift, f->data, f->len);
    return safetensors_parse(s, block + shift, f->len, NULL, 1, e);
}

/* ---- written ---- */

static const int64_t three[] = {3}, two_two[] = {2, 2}, none[] = {0, 5};

void stfile_set(struct set *s)
{
    static float f[3] = {1, -2, 3.5f};
    static int64_t i[4] = {1, 2, 3, INT64_MIN};
    static uint8_t u[3] = {7, 8, 9};
    static uint16_t h[3] = {0x3c00, 1, 0x8000};
    static uint8_t b[3] = {0, 1, 1};
    const struct shape s3 = shape_make(1, three), s22 = shape_make(2, two_two);
    const struct shape s0 = shape_make(2, none), sc = shape_make(0, NULL);
    const struct {
        const char *name;
        struct tensor t;
    } row[] = {{"u", tensor_view(DTYPE_U8, &s3, u)},
               {"f \"quoted\"\\\n", tensor_view(DTYPE_F32, &s3, f)},
               {"caf\xc3\xa9", tensor_view(DTYPE_I64, &s22, i)},
               {"empty", tensor_view(DTYPE_F32, &s0, f)},
               {"bf", tensor_view(DTYPE_BF16, &s3, h)},
               {"bool", tensor_view(DTYPE_BOOL, &s3, b)},
               {"scalar", tensor_view(DTYPE_F32, &sc, f)},
               {"h", tensor_view(DTYPE_F16, &s3, h)}};

    set_init(s);
    for (size_t k = 0; k < sizeof row / sizeof *row; k++)
        assert_int_equal(set_put(s, row[k].name, &row[k].t), 0);
    set_meta_put(s, "adze.format", "1");
    set_meta_put(s, "adze.kind", "tensors");
    set_meta_put(s, "note", "tab\there, \"q\", \x01, \xe2\x82\xac");
    set_meta_put(s, "", "");
}

void stfile_save(const struct set *s, int hashes)
{
    struct err e = {0};
    struct out o;

    assert_int_equal(out_open(&o, stfile_path, &e), 0);
    assert_int_equal(safetensors_write(s, &o, hashes, &e), 0);
    assert_int_equal(out_commit(&o, &e), 0);
}

void stfile_load(struct bytes *b)
{
    struct err e = {0};
    struct set s;

    stfile_set(&s);
    stfile_save(&s, 1);
    set_release(&s);
    assert_int_equal(bytes_read(b, stfile_path, SIZE_MAX, &e), 0);
    unlink(stfile_path);
}
