/* tar.c -- tests of lib/data/tar.c: what it reads, and faults F-067 to F-078.
 * SPDX-License-Identifier: MIT  */
#include "data/tar.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../fuzz.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/stream.h"

enum { BLOCK = 512 };

/* ---- archives made by hand ---- */

/* A header; SIZE is the text of its field.  */
static void put_header(char h[BLOCK], const char *name, char type,
                       const char *size)
{
    memset(h, 0, BLOCK);
    memcpy(h, name, strlen(name));
    memcpy(h + 100, "0000644", 7);
    memcpy(h + 124, size, strlen(size));
    h[156] = type;
    memcpy(h + 257, "ustar\00000", 8);
    fuzz_tar_sum(h);
}

static void add_block(struct str *s, const char h[BLOCK])
{
    str_addn(s, h, BLOCK);
}

/* A member with its body, padded.  */
static void add(struct str *s, const char *name, char type, const char *body,
                size_t n)
{
    static const char zero[BLOCK];
    char h[BLOCK], size[24];

    snprintf(size, sizeof size, "%011zo", n);
    put_header(h, name, type, size);
    add_block(s, h);
    str_addn(s, body, n);
    str_addn(s, zero, (BLOCK - n % BLOCK) % BLOCK);
}

static void add_text(struct str *s, const char *name, char type,
                     const char *body)
{
    add(s, name, type, body, strlen(body));
}

static void end(struct str *s)
{
    static const char zero[2 * BLOCK];

    str_addn(s, zero, sizeof zero);
}

/* The archive as "name=body " for each member, or "! message".  */
static char *list(const struct str *s)
{
    struct tar t = {.data = (const unsigned char *)s->data, .n = s->len};
    struct tar_member m;
    struct err e = {0};
    struct str r = {0};
    int k;

    while ((k = tar_next(&t, &m, &e)) > 0)
        str_printf(&r, "%s=%.*s ", m.name, (int)(m.n < 40 ? m.n : 40),
                   (const char *)m.data);
    if (k < 0) {
        str_clear(&r);
        str_printf(&r, "%d %s", e.code, e.msg);
    }
    tar_release(&t);
    return str_take(&r);
}

/* Takes S.  */
static void reads(struct str *s, const char *want)
{
    char *got = list(s);

    assert_string_equal(got ? got : "", want);
    free(got);
    str_release(s);
}

/* Takes S: refused with CODE and TEXT in the message.  */
static void refused(struct str *s, enum err_code code, const char *text)
{
    char *got = list(s), start[16];

    snprintf(start, sizeof start, "%d ", code);
    if (!got || strncmp(got, start, strlen(start)) != 0 || !strstr(got, text))
        fail_msg("wanted %d '%s', got '%s'", code, text, got ? got : "");
    free(got);
    str_release(s);
}

/* One member whose header has SIZE in its field.  */
static struct str with_size(const char *size, size_t size_n)
{
    struct str s = {0};
    char h[BLOCK];

    put_header(h, "a", '0', "");
    memcpy(h + 124, size, size_n);
    fuzz_tar_sum(h);
    add_block(&s, h);
    end(&s);
    return s;
}

/* ---- what is read ---- */

static void ordinary(void **state)
{
    struct str s = {0};

    (void)state;
    add_text(&s, "d/", '5', "");
    add_text(&s, "d/a", '0', "alpha");
    add_text(&s, "v7", '\0', "beta");
    add_text(&s, "v7dir/", '\0', "");
    add_text(&s, "label", 'V', "");
    add_text(&s, "empty", '0', "");
    add_text(&s, "contiguous", '7', "x");
    end(&s);
    assert_true(tar_is((unsigned char *)s.data, s.len));
    reads(&s, "d/a=alpha v7=beta empty= contiguous=x ");
    end(&s);
    assert_true(tar_is((unsigned char *)s.data, s.len));
    reads(&s, "");
}

static void names(void **state)
{
    struct str s = {0};
    char h[BLOCK], full[101];

    (void)state;
    /* ustar's prefix; GNU keeps times in that field */
    put_header(h, "tail", '0', "0");
    memcpy(h + 345, "head/er", 7);
    fuzz_tar_sum(h);
    add_block(&s, h);
    memcpy(h + 257, "ustar  ", 8);
    fuzz_tar_sum(h);
    add_block(&s, h);
    memset(full, 'f', 100); /* a field without its NUL */
    full[100] = 0;
    add_text(&s, full, '0', "");
    add_text(&s, "././@LongLink", 'L', "long/name");
    add_text(&s, "long", '0', "1");
    add_text(&s, "pax", 'x', "17 path=pax/name\n");
    add_text(&s, "short", '0', "2");
    add_text(&s, "g", 'g', "13 comment=x\n");
    add_text(&s, "back to short", '0', "3");
    end(&s);
    reads(&s, "head/er/tail= tail= "
              "ffffffffffffffffffffffffffffffffffffffffffffffffff"
              "ffffffffffffffffffffffffffffffffffffffffffffffffff= "
              "long/name=1 pax/name=2 back to short=3 ");
}

static void written_is_read(void **state)
{
    struct str want = {0}, s = {0};
    struct bytes b;
    struct err e = {0};
    struct out o;
    char path[] = "/tmp/adze-tar-XXXXXX", name[400], *got;

    (void)state;
    close(mkstemp(path));
    assert_int_equal(out_open(&o, path, &e), 0);
    for (size_t n = 1; n < 400; n += 7) {
        /* with and without slashes to split at */
        for (size_t i = 0; i < n; i++)
            name[i] = (char)(n % 2 && i % 50 == 49 ? '/' : 'a' + i % 26);
        name[n - 1] = 'z';
        name[n] = 0;
        assert_int_equal(tar_write(&o, name, name, n % 600, &e), 0);
        str_printf(&want, "%s=%.40s ", name, name);
    }
    assert_int_equal(tar_write_end(&o, &e), 0);
    assert_int_equal(out_commit(&o, &e), 0);
    assert_int_equal(bytes_read(&b, path, SIZE_MAX, &e), 0);
    str_addn(&s, (const char *)b.data, b.n);
    got = list(&s);
    assert_string_equal(got, str_text(&want));
    /* the programs of others agree */
    str_clear(&s);
    str_printf(&s, "test \"$(tar -tf %s | wc -l)\" = 57", path);
    assert_int_equal(system(str_text(&s)), 0);
    bytes_release(&b);
    free(got);
    str_release(&s);
    str_release(&want);
    unlink(path);
}

/* ---- faults ---- */

static int take_all(const uint8_t *p, size_t n)
{
    struct tar t = {.data = p, .n = n};
    struct tar_member m;
    struct err e = {0};
    int r;

    while ((r = tar_next(&t, &m, &e)) > 0)
        ;
    tar_release(&t);
    return r;
}

static void f067_cuts_and_ends(void **state)
{
    struct str s = {0}, two = {0};

    (void)state;
    add_text(&s, "a", '0', "alpha");
    add_text(&s, "pax", 'x', "12 path=pax\n");
    add_text(&s, "b", '0', "beta");
    end(&s);
    /* complete from its first block of zeros on, refused before */
    assert_int_equal(fuzz_cut(take_all, s.data, s.len), BLOCK);
    str_addn(&two, s.data, s.len);
    str_addn(&two, s.data, s.len);
    refused(&two, ERR_FORMAT, "more bytes behind the end of the archive at");
    str_addn(&two, s.data, s.len);
    str_addc(&two, 'x');
    refused(&two, ERR_FORMAT, "more bytes behind the end");
    str_addn(&two, s.data, s.len - 2 * BLOCK);
    refused(&two, ERR_FORMAT, "without the blocks of zeros that close");
    end(&s); /* records are padded with zeros */
    reads(&s, "a=alpha pax=beta ");
}

static void f068_checksums(void **state)
{
    struct str s = {0};
    char h[BLOCK];
    int sum = 0;

    (void)state;
    put_header(h, "n\xe9", '0', "0");
    memset(h + 148, ' ', 8);
    for (int i = 0; i < BLOCK; i++)
        sum += (signed char)h[i];
    snprintf(h + 148, 8, "%06o", (unsigned)sum);
    add_block(&s, h);
    end(&s);
    reads(&s, "n\xe9= ");
    h[0]++;
    add_block(&s, h);
    end(&s);
    assert_true(tar_is((unsigned char *)s.data, s.len));
    refused(&s, ERR_FORMAT, "header at offset 0: the checksum is wrong");
}

static void f069_sizes(void **state)
{
    static const struct {
        const char *text;
        size_t n;
        const char *want;
    } t[] = {
        {"        0   ", 12, NULL},
        {"000000000000", 12, NULL}, /* no terminator */
        {"0\0junk", 6, "the size is not a number"},
        {"", 0, "the size is not a number"},
        {"            ", 12, "the size is not a number"},
        {"00000000008", 11, "the size is not a number"},
        {"-0000000001", 11, "the size is not a number"},
        {"777777777777", 12, "68719476735 bytes follow"},
        {"00000002001", 11, "1025 bytes follow by its size"},
        {"\x80\0\0\0\0\0\0\0\0\0\0\0", 12, NULL},
        {"\x80\0\0\0\0\0\0\0\0\0\x04\x01", 12, "1025 bytes follow"},
        {"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12,
         "9223372036854775807 bytes follow"},
        {"\x80\0\0\1\0\0\0\0\0\0\0\0", 12, "the size is not a number"},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12,
         "the size is not a number"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(t); i++) {
        struct str s = with_size(t[i].text, t[i].n);

        if (t[i].want)
            refused(&s, ERR_FORMAT, t[i].want);
        else
            reads(&s, "a= ");
    }
}

/* A pax header with BODY, then a member of 3 bytes.  */
static struct str with_pax(const char *body, size_t n)
{
    struct str s = {0};

    add(&s, "pax", 'x', body, n);
    add_text(&s, "a", '0', "abc");
    end(&s);
    return s;
}

static void f070_pax(void **state)
{
    static const struct {
        const char *body, *want;
    } t[] = {
        {"9 size=3\n", NULL},
        {"13 comment=x\n9 size=3\n", NULL},
        {"9 size=2\n", "the sizes in the pax and the plain header differ"},
        {"20 size=99999999999\n", "the sizes in the pax and the plain"},
        {"11 size=-1\n", "the pax size is not a number"},
        {"28 size=9999999999999999999\n", "the pax size is not a number"},
        {"8 size=\n", "the pax size is not a number"},
        {"9 size=3\n9 size=3\n", "sets path or size twice"},
        {"0 size=3\n", "a pax record's length is wrong"},
        {"4 size=3\n", "a pax record's length is wrong"},
        {"8 size=3\n", "a pax record's length is wrong"},
        {"11 size=3\n", "a pax record's length is wrong"},
        {"4294967305 size=3\n", "a pax record's length is wrong"},
        {"99999999999 s=3\n", "a pax record's length is wrong"},
        {"x size=3\n", "a pax record's length is wrong"},
        {"7 size3\n", "a pax record's length is wrong"},
        {"8 path=\n", "the long name is empty"},
    };
    struct str s = {0};
    char *body;

    (void)state;
    for (size_t i = 0; i < COUNT(t); i++) {
        s = with_pax(t[i].body, strlen(t[i].body));
        if (t[i].want)
            refused(&s, ERR_FORMAT, t[i].want);
        else
            reads(&s, "a=abc ");
    }
    s = with_pax("11 path=a\0b\n", 12);
    refused(&s, ERR_FORMAT, "a pax record's length is wrong");
    s = with_pax("12 path=a\0b\n", 12);
    refused(&s, ERR_FORMAT, "the long name holds a NUL");
    /* order attacks: a second name, a size that is not the member's */
    add_text(&s, "x", 'x', "9 path=b\n");
    add_text(&s, "L", 'L', "other");
    add_text(&s, "a", '0', "");
    end(&s);
    refused(&s, ERR_FORMAT, "two long names for one member");
    add_text(&s, "L", 'L', "other");
    add_text(&s, "x", 'x', "9 path=b\n");
    add_text(&s, "a", '0', "");
    end(&s);
    refused(&s, ERR_FORMAT, "two long names for one member");
    add_text(&s, "x", 'x', "9 size=3\n");
    add_text(&s, "L", 'L', "other");
    add_text(&s, "a", '0', "abc");
    end(&s);
    reads(&s, "other=abc ");
    add_text(&s, "x", 'x', "9 size=3\n");
    add_text(&s, "x", 'x', "9 path=b\n");
    end(&s);
    refused(&s, ERR_FORMAT, "two pax headers for one member");
    add_text(&s, "x", 'x', "9 path=b\n");
    end(&s);
    refused(&s, ERR_FORMAT, "a long name or pax header without its member");
    add_text(&s, "g", 'g', "9 path=b\n");
    end(&s);
    refused(&s, ERR_FORMAT, "a global pax header sets path or size");
    body = xcalloc(1, 2 << 20);
    s = with_pax(body, 2 << 20);
    refused(&s, ERR_FORMAT, "the pax header is larger than 1 MiB");
    free(body);
}

static void f071_long_names(void **state)
{
    struct str s = {0};
    char *name = xmalloc(1 << 20);

    (void)state;
    memset(name, 'n', 1 << 20);
    add(&s, "L", 'L', name, 1 << 20);
    add_text(&s, "a", '0', "");
    end(&s);
    refused(&s, ERR_FORMAT, "the name is longer than 65536 bytes");
    add(&s, "L", 'L', name, 65536);
    add_text(&s, "a", '0', "");
    end(&s);
    free(list(&s));
    str_release(&s);
    add(&s, "L", 'L', "a\0b", 4);
    add_text(&s, "a", '0', "");
    end(&s);
    refused(&s, ERR_FORMAT, "the long name holds a NUL");
    add(&s, "L", 'L', "\0", 1);
    add_text(&s, "a", '0', "");
    end(&s);
    refused(&s, ERR_FORMAT, "the long name is empty");
    add_text(&s, "", '0', "");
    end(&s);
    refused(&s, ERR_FORMAT, "the name is empty");
    add_text(&s, "K", 'K', "link target");
    add_text(&s, "a", '0', "");
    end(&s);
    reads(&s, "a= ");
    free(name);
}

/* No file is ever made, so a name is only a name.  */
static void f072_names_are_labels(void **state)
{
    struct str s = {0};

    (void)state;
    add_text(&s, "../../etc/passwd", '0', "x");
    add_text(&s, "/abs", '0', "y");
    add_text(&s, "C:\\z", '0', "z");
    end(&s);
    reads(&s, "../../etc/passwd=x /abs=y C:\\z=z ");
}

static void f073_kinds(void **state)
{
    static const struct {
        char type;
        const char *want;
    } t[] = {
        {'1', "a hard link; pack with --hard-dereference"},
        {'2', "a symbolic link; pack with --dereference"},
        {'3', "a character device"},
        {'4', "a block device"},
        {'6', "a FIFO"},
        {'S', "a sparse member"},
        {'M', "multi-volume"},
        {'D', "an incremental dump"},
        {'N', "old GNU long names"},
        {'~', "a member of unknown type"},
    };
    struct str s = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(t); i++) {
        add_text(&s, "x", t[i].type, "");
        end(&s);
        refused(&s, ERR_UNSUPPORTED, t[i].want);
    }
    s = with_pax("22 GNU.sparse.major=1\n", 22);
    refused(&s, ERR_UNSUPPORTED, "a sparse member");
    s = with_pax("25 GNU.sparse.map=0,1,2\n\n", 25);
    refused(&s, ERR_UNSUPPORTED, "a sparse member");
    add_text(&s, "d/", '5', "body");
    end(&s);
    refused(&s, ERR_FORMAT, "a directory with a size");
    add_text(&s, "d/", '0', "body");
    end(&s);
    refused(&s, ERR_FORMAT, "a directory with a size");
}

/* F-074, duplicates and broken pairs: tests/data/dataset_tar.c.  */

static void f075_many_and_large(void **state)
{
    enum { MANY = 200000 };
    char path[] = "/tmp/adze-tar-XXXXXX", h[BLOCK];
    const int fd = mkstemp(path);
    struct err e = {0};
    struct tar_member m;
    struct bytes b;
    struct tar t;
    struct str s = {0};
    double from;
    int n = 0;

    (void)state;
    put_header(h, "name", '0', "0");
    for (int i = 0; i < MANY; i++)
        add_block(&s, h);
    end(&s);
    t = (struct tar){.data = (unsigned char *)s.data, .n = s.len};
    from = clock_now();
    while (tar_next(&t, &m, &e) > 0)
        n++;
    assert_int_equal(n, MANY);
    assert_true(clock_now() - from < 5); /* 0.1 s; seconds if quadratic */
    tar_release(&t);
    str_release(&s);

    /* a member of 9 GiB, with holes: its size stands in the pax header */
    add_text(&s, "x", 'x', "19 size=9663676416\n");
    add_text(&s, "large", '0', "");
    assert_int_equal(pwrite(fd, s.data, s.len, 0), s.len);
    put_header(h, "behind", '0', "0");
    assert_int_equal(pwrite(fd, h, BLOCK, (off_t)s.len + (off_t)9663676416),
                     BLOCK);
    assert_int_equal(ftruncate(fd, (off_t)s.len + (off_t)9663676416 + 1536), 0);
    close(fd);
    str_release(&s);
    assert_int_equal(bytes_read(&b, path, SIZE_MAX, &e), 0);
    t = (struct tar){.data = b.data, .n = b.n};
    assert_int_equal(tar_next(&t, &m, &e), 1);
    assert_string_equal(m.name, "large");
    assert_true(m.n == 9663676416);
    assert_int_equal(tar_next(&t, &m, &e), 1);
    assert_string_equal(m.name, "behind");
    assert_int_equal(tar_next(&t, &m, &e), 0);
    tar_release(&t);
    bytes_release(&b);
    unlink(path);
    s = with_pax("19 size=9663676416\n", 19);
    refused(&s, ERR_FORMAT, "the sizes in the pax and the plain header");
    add_text(&s, "x", 'x', "19 size=9663676416\n");
    add_text(&s, "large", '0', "");
    end(&s);
    refused(&s, ERR_FORMAT, "larger than the archive: cut short?");
}

static void f076_f078_other_files(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *want;
    } t[] = {
        {"\x1f\x8b\x08", 3,
         "gzip data, not a tar: unpack it first, as in: "
         "gzip -dc"},
        {"\x28\xb5\x2f\xfd", 4, "zstd -dc"},
        {"\xfd"
         "7zXZ\0",
         6, "xz -dc"},
        {"BZh9", 4, "bzip2 -dc"},
        {"\x04\x22\x4d\x18", 4, "lz4 -dc"},
        {"PK\3\4", 4, "zip data, not a tar: unpack it and give the folder"},
        {"070701", 6, "cpio data, not a tar: pack it again with tar"},
        {"\xc7\x71", 2, "cpio data"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(t); i++) {
        struct str s = {0};
        char block[BLOCK];
        struct err e = {0};

        memset(block, 7, sizeof block);
        memcpy(block, t[i].bytes, t[i].n);
        assert_false(tar_is((unsigned char *)block, BLOCK));
        assert_int_equal(tar_foreign((unsigned char *)block, BLOCK, &e), -1);
        add_block(&s, block);
        refused(&s, ERR_UNSUPPORTED, t[i].want);
    }
}

/* F-077, pipes and writers that die: tests/data/dataset_tar.c.  */

/* ---- fuzzing ---- */

static void large_name(struct str *s)
{
    static char name[(1 << 16) + 1];

    add(s, "L", 'L', memset(name, 'a', sizeof name), sizeof name);
}

static void hostile(void **state)
{
    enum { SEEDS = 14 };
    struct fuzz_seed seeds[SEEDS];
    struct str s[SEEDS] = {{0}};

    (void)state;
    add_text(&s[0], "d/", '5', "");
    add_text(&s[0], "d/a", '0', "alpha");
    add_text(&s[0], "d/b", '0', "beta");
    add_text(&s[1], "x", 'x', "17 path=pax/name\n9 size=3\n");
    add_text(&s[1], "a", '0', "abc");
    add_text(&s[1], "g", 'g', "13 comment=x\n");
    add_text(&s[2], "L", 'L', "long/name");
    add_text(&s[2], "K", 'K', "target");
    add_text(&s[2], "a", '\0', "abc");
    s[3] = with_size("\x80\0\0\0\0\0\0\0\0\0\0\3", 12);
    add_text(&s[4], "x", 'x', "19 size=8589934592\n");
    add_text(&s[4], "a", '0', "");
    add_text(&s[5], "x", 'x', "22 GNU.sparse.major=1\n");
    add_text(&s[5], "a", '0', "abc");
    str_addn(&s[6], "\x1f\x8b\x08", 3);
    add_text(&s[7], "g", 'g', "12 path=a/b\n");
    add_text(&s[8], "x", 'x', "10 size=3\n10 size=3\n");
    add_text(&s[8], "a", '0', "abc");
    add_text(&s[9], "L", 'L', "a");
    add_text(&s[9], "x", 'x', "10 path=b\n");
    add_text(&s[9], "a", '0', "abc");
    add_text(&s[10], "x", 'x', "10 path=b\n");
    add_text(&s[10], "L", 'L', "a");
    add_text(&s[10], "a", '0', "abc");
    add_text(&s[11], "x", 'x', "13 comment=x\n11 size=x3\n");
    add_text(&s[11], "a", '0', "abc");
    add_text(&s[12], "d/", '0', "abc");
    large_name(&s[13]);
    add_text(&s[13], "a", '0', "abc");
    for (int i = 0; i < SEEDS; i++) {
        end(&s[i]);
        seeds[i] = (struct fuzz_seed){s[i].data, s[i].len};
        if (i)
            fuzz_tar(seeds[i].p, seeds[i].n);
    }
    fuzz_run(fuzz_tar, seeds, SEEDS, fuzz_repair_tar, 10000, 1);
    for (int i = 0; i < SEEDS; i++)
        str_release(&s[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary),
        cmocka_unit_test(names),
        cmocka_unit_test(written_is_read),
        cmocka_unit_test(f067_cuts_and_ends),
        cmocka_unit_test(f068_checksums),
        cmocka_unit_test(f069_sizes),
        cmocka_unit_test(f070_pax),
        cmocka_unit_test(f071_long_names),
        cmocka_unit_test(f072_names_are_labels),
        cmocka_unit_test(f073_kinds),
        cmocka_unit_test(f075_many_and_large),
        cmocka_unit_test(f076_f078_other_files),
        cmocka_unit_test(hostile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
