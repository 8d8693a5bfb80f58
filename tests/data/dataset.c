/* dataset.c -- tests of lib/data/dataset.c and its forms.
 * SPDX-License-Identifier: MIT  */
#include "data/dataset.h"

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
#include "base/str.h"
#include "base/stream.h"
#include "base/thread.h"
#include "data/form.h"
#include "data/tar.h"

/* ---- a folder of our own for each test ---- */

static int enter(void **state)
{
    char *dir = xstrdup("/tmp/adze-test-XXXXXX");

    if (!mkdtemp(dir) || chdir(dir) < 0)
        return -1;
    *state = dir;
    return 0;
}

static int leave(void **state)
{
    struct str s = {0};
    int r;

    str_printf(&s, "rm -rf '%s'", (char *)*state);
    r = chdir("/") < 0 || system(str_text(&s));
    str_release(&s);
    free(*state);
    return r;
}

/* Write N bytes to PATH, making its folders.  */
static void put(const char *path, const void *p, size_t n)
{
    struct err e = {0};
    struct out o;
    char *dir = xstrdup(path);

    for (char *s = dir; (s = strchr(s, '/')); s++) {
        *s = 0;
        mkdir(dir, 0777);
        *s = '/';
    }
    free(dir);
    assert_int_equal(out_open(&o, path, &e), 0);
    assert_int_equal(out_write(&o, p, n, &e), 0);
    assert_int_equal(out_commit(&o, &e), 0);
}

static void put_text(const char *path, const char *text)
{
    put(path, text, strlen(text));
}

/* A picture of one pixel whose red is V.  */
enum { DOT_BYTES = 14 };

static const char *dot(char p[DOT_BYTES], int v)
{
    memcpy(p, "P6\n1 1\n255\n", 11);
    p[11] = (char)v;
    p[12] = p[13] = 7;
    return p;
}

static void put_dot(const char *path, int v)
{
    char p[DOT_BYTES];

    put(path, dot(p, v), DOT_BYTES);
}

static int red_of(const struct dataset *d, int64_t i)
{
    const struct codec_opts o = {0};
    struct err e = {0};
    struct image im;
    int v;

    if (dataset_image(d, i, &o, &im, &e) < 0)
        fail_msg("%s", e.msg);
    v = im.rgb[0];
    image_release(&im);
    return v;
}

static struct dataset *must_open(const char *spec, const struct dataset_opts *o)
{
    struct err e = {0};
    struct dataset *d = dataset_open(spec, o, &e);

    if (!d)
        fail_msg("%s", e.msg);
    return d;
}

/* SPEC does not open: CODE, and TEXT is in the message.  */
static void refuses(const char *spec, const struct dataset_opts *o,
                    enum err_code code, const char *text)
{
    struct err e = {0};
    struct dataset *d = dataset_open(spec, o, &e);

    if (d)
        fail_msg("'%s' was opened", spec);
    if (e.code != code || !strstr(e.msg, text))
        fail_msg("%d %s", e.code, e.msg);
}

/* The set as "name=label:red " for each sample; names from the last '/' or
 * ':' but one.  */
static void check(const struct dataset *d, const char *want)
{
    struct str s = {0};

    for (int64_t i = 0; i < dataset_count(d); i++)
        str_printf(&s, "%s%s=%d:%d", i ? " " : "", dataset_sample(d, i).name,
                   (int)dataset_sample(d, i).label, red_of(d, i));
    assert_string_equal(str_text(&s), want);
    str_release(&s);
}

static void check_names(const char *const *names, const char *want)
{
    struct str s = {0};

    for (; *names; names++)
        str_printf(&s, "%s%s", s.len ? " " : "", *names);
    assert_string_equal(str_text(&s), want);
    str_release(&s);
}

/* ---- class folders ---- */

static void put_folders(void)
{
    put_dot("set/dog/2.ppm", 2);
    put_dot("set/dog/1.ppm", 1);
    put_dot("set/cat/deep/er/0.ppm", 3);
    put_dot("set/cat/9.ppm", 4);
    put_dot("set/.hidden/x.ppm", 5);
    put_dot("set/cat/.x.ppm", 5);
    put_text("set/cat/Thumbs.db", "x");
    put_text("set/dog/desktop.ini", "x");
    put_text("set/README", "not a class");
}

static void folders(void **state)
{
    struct dataset *d;
    int n;

    (void)state;
    put_folders();
    d = must_open("set", NULL);
    check(d, "set/cat/9.ppm=0:4 set/cat/deep/er/0.ppm=0:3 "
             "set/dog/1.ppm=1:1 set/dog/2.ppm=1:2");
    check_names(dataset_classes(d, &n), "cat dog");
    assert_int_equal(n, 2);
    assert_int_equal(dataset_labels(d), 2);
    check_names(dataset_missing(d), "");
    dataset_free(d);
}

static void folders_below_a_top_one(void **state)
{
    const char *const cat[] = {"set"};
    const struct dataset_opts o = {.classes = cat, .n_classes = 1};
    struct dataset *d;

    (void)state;
    put_dot("top/set/a/1.ppm", 1);
    put_dot("top/set/b/1.ppm", 2);
    d = must_open("top/", NULL);
    check(d, "top/set/a/1.ppm=0:1 top/set/b/1.ppm=1:2");
    dataset_free(d);
    /* unless the model knows a class of that name */
    d = must_open("top", &o);
    check(d, "top/set/a/1.ppm=0:1 top/set/b/1.ppm=0:2");
    dataset_free(d);
}

static void folders_match_by_name(void **state)
{
    const char *const names[] = {"dog", "bird", "cat"};
    const char *const cats[] = {"cat", "dot"};
    const struct dataset_opts o = {.classes = names, .n_classes = 3};
    const struct dataset_opts wrong = {.classes = cats, .n_classes = 2};
    const struct dataset_opts any = {
        .classes = cats, .n_classes = 2, .unlabelled = 1};
    struct dataset *d;

    (void)state;
    put_folders();
    d = must_open("set", &o);
    check(d, "set/cat/9.ppm=2:4 set/cat/deep/er/0.ppm=2:3 "
             "set/dog/1.ppm=0:1 set/dog/2.ppm=0:2");
    check_names(dataset_missing(d), "bird");
    dataset_free(d);
    refuses("set", &wrong, ERR_INPUT,
            "class 'dog' is not among the 2 classes of the model; did you mean "
            "'dot'?");
    d = must_open("set", &any);
    assert_int_equal(dataset_sample(d, 3).label, -1);
    dataset_free(d);
}

static void folder_faults(void **state)
{
    const struct dataset_opts flat = {.unlabelled = 1};
    struct dataset *d;

    (void)state;
    refuses("nothing", NULL, ERR_INPUT, "cannot open 'nothing'");
    mkdir("empty", 0777);
    refuses("empty", NULL, ERR_INPUT, "'empty' holds no class folders");
    mkdir("empty/cat", 0777);
    refuses("empty", NULL, ERR_INPUT, "'empty' holds no pictures");
    put_dot("flat/1.ppm", 1);
    refuses("flat", NULL, ERR_INPUT, "'flat' holds no class folders");
    d = must_open("flat", &flat);
    check(d, "flat/1.ppm=-1:1");
    dataset_free(d);
    /* an empty class is a class without a sample */
    put_dot("part/b/1.ppm", 1);
    mkdir("part/a", 0777);
    d = must_open("part", NULL);
    check(d, "part/b/1.ppm=1:1");
    check_names(dataset_missing(d), "a");
    dataset_free(d);
    assert_int_equal(symlink(".", "part/b/loop"), 0);
    refuses("part", NULL, ERR_INPUT, "nested deeper than 32: a loop of links?");
}

/* ---- tar ---- */

static void put_tar(const char *path, const char *const *names)
{
    struct err e = {0};
    struct out o;
    char p[DOT_BYTES];

    assert_int_equal(out_open(&o, path, &e), 0);
    for (int i = 0; names[i]; i++) {
        const char *text = strchr(names[i], '=');
        char *name = text ? xstrndup(names[i], (size_t)(text - names[i]))
                          : xstrdup(names[i]);

        if (text)
            assert_int_equal(
                tar_write(&o, name, text + 1, strlen(text + 1), &e), 0);
        else
            assert_int_equal(tar_write(&o, name, dot(p, i), DOT_BYTES, &e), 0);
        free(name);
    }
    assert_int_equal(tar_write_end(&o, &e), 0);
    assert_int_equal(out_commit(&o, &e), 0);
}

static void tar_of_folders(void **state)
{
    static const char *const plain[] = {
        "dog/7.ppm",     "cat/1.ppm", "./dog/0.ppm",  "README=text",
        "cat/.x.ppm",    ".git/x",    "/cat/b/2.ppm", "../cat/x",
        "cat/../up.ppm", NULL};
    static const char *const top[] = {"set/dog/1.ppm", "set/cat/2.ppm", NULL};
    static const char *const none[] = {"1.ppm", "2.ppm", NULL};
    const struct dataset_opts flat = {.unlabelled = 1};
    struct dataset *d;
    int n;

    (void)state;
    put_tar("a.tar", plain);
    d = must_open("a.tar", NULL);
    check(d, "a.tar:dog/7.ppm=1:0 a.tar:cat/1.ppm=0:1 a.tar:dog/0.ppm=1:2 "
             "a.tar:cat/b/2.ppm=0:6");
    check_names(dataset_classes(d, &n), "cat dog");
    dataset_free(d);
    put_tar("b.tar", top);
    d = must_open("b.tar", NULL);
    check(d, "b.tar:set/dog/1.ppm=1:0 b.tar:set/cat/2.ppm=0:1");
    dataset_free(d);
    put_tar("c.tar", none);
    refuses("c.tar", NULL, ERR_INPUT, "'c.tar': holds no class folders");
    d = must_open("c.tar", &flat);
    check(d, "c.tar:1.ppm=-1:0 c.tar:2.ppm=-1:1");
    dataset_free(d);
}

static void tar_faults(void **state)
{
    static const char *const twice[] = {"a/1.ppm", "b/1.ppm", "a/1.ppm", NULL};
    static const char *const empty[] = {NULL};
    static const char *const broken[] = {"a/1.ppm=P6\n9 9\n255\nxx", NULL};
    const struct codec_opts co = {0};
    struct err e = {0};
    struct image im;
    struct dataset *d;

    (void)state;
    put_tar("t.tar", twice);
    refuses("t.tar", NULL, ERR_FORMAT, "two members are named 'a/1.ppm'");
    put_tar("t.tar", empty);
    refuses("t.tar", NULL, ERR_INPUT, "'t.tar' holds no pictures");
    put_text("t.tar", "\x1f\x8b rest");
    refuses("t.tar", NULL, ERR_UNSUPPORTED,
            "'t.tar': gzip data, not a tar: unpack it first");
    put_tar("t.tar", broken);
    d = must_open("t.tar", NULL);
    assert_int_equal(dataset_image(d, 0, &co, &im, &e), -1);
    assert_non_null(strstr(e.msg, "'t.tar:a/1.ppm': "));
    dataset_free(d);
}

static void webdataset(void **state)
{
    static const char *const numbers[] = {
        "x/1.cls=3\n", "x/1.ppm", "x/2.ppm", "x/2.cls=0", "x/2.json={}", NULL};
    static const char *const words[] = {
        "1.a.ppm=", "2.ppm", "2.cls=dog\r\n", "3.ppm", "3.cls=cat", NULL};
    static const char *const bare[] = {"1.ppm", "2.ppm", "2.cls=1", NULL};
    static const char *const alone[] = {"1.ppm", "1.cls=1", "2.cls=1", NULL};
    static const char *const three[] = {"1.ppm", "1.PNG", "1.cls=1", NULL};
    static const char *const mixed[] = {"1.ppm", "1.cls=1", "2.ppm", "2.cls=x",
                                        NULL};
    static const char *const lines[] = {"1.ppm", "1.cls=a\nb", NULL};
    struct dataset *d;
    int n;

    (void)state;
    put_tar("n.tar", numbers);
    d = must_open("n.tar", NULL);
    check(d, "n.tar:x/1.ppm=3:1 n.tar:x/2.ppm=0:2");
    dataset_classes(d, &n);
    assert_int_equal(n, 0);
    assert_int_equal(dataset_labels(d), 4);
    dataset_free(d);
    put_tar("w.tar", words);
    d = must_open("w.tar", NULL);
    check(d, "w.tar:2.ppm=1:1 w.tar:3.ppm=0:3");
    check_names(dataset_classes(d, &n), "cat dog");
    dataset_free(d);
    put_tar("b.tar", bare);
    refuses("b.tar", NULL, ERR_FORMAT, "'1.ppm' has no label");
    put_tar("b.tar", alone);
    refuses("b.tar", NULL, ERR_FORMAT, "'2.cls' has no picture of its key");
    put_tar("b.tar", three);
    refuses("b.tar", NULL, ERR_FORMAT, "'1.PNG' is a second picture");
    put_tar("b.tar", mixed);
    refuses("b.tar", NULL, ERR_FORMAT, "'2.cls': label 'x' is not a number");
    put_tar("b.tar", lines);
    refuses("b.tar", NULL, ERR_FORMAT, "'1.cls' is not one line of text");
}

/* ---- lists ---- */

static void lists(void **state)
{
    const struct dataset_opts bare = {.unlabelled = 1};
    struct dataset *d;
    int n;

    (void)state;
    put_dot("l/a b.ppm", 1);
    put_dot("l/c.ppm", 2);
    put_text("l/list.txt", "\xef\xbb\xbf"
                           "a b.ppm 3\r\n"
                           "\r\n   \n"
                           "c.ppm\t0  \r\n"
                           "a b.ppm \t 1");
    d = must_open("l/list.txt", NULL);
    check(d, "l/a b.ppm=3:1 l/c.ppm=0:2 l/a b.ppm=1:1");
    assert_int_equal(dataset_labels(d), 4);
    dataset_classes(d, &n);
    assert_int_equal(n, 0);
    dataset_free(d);
    /* names as labels */
    put_text("l/names", "c.ppm dog\na b.ppm\tblack cat\n");
    d = must_open("l/names", NULL);
    check(d, "l/c.ppm=1:2 l/a b.ppm=0:1");
    check_names(dataset_classes(d, &n), "black cat dog");
    dataset_free(d);
    /* no labels */
    put_text("l/bare", "c.ppm\na b.ppm\n");
    d = must_open("l/bare", &bare);
    check(d, "l/c.ppm=-1:2 l/a b.ppm=-1:1");
    dataset_free(d);
    d = must_open("l/list.txt", &bare);
    assert_int_equal(dataset_count(d), 3);
    assert_int_equal(red_of(d, 0), 1);
    dataset_free(d);
}

static void list_faults(void **state)
{
    const struct dataset_opts ten = {.n_classes = 10};
    const struct codec_opts co = {0};
    struct err e = {0};
    struct image im;
    struct dataset *d;

    (void)state;
    put_text("l", "a 1\nb 2\n\nc\n");
    refuses("l", NULL, ERR_FORMAT, "'l', line 4: not a path and a label");
    put_text("l", "a 1\nb ten\n");
    refuses("l", NULL, ERR_FORMAT, "'l', line 2: label 'ten' is not a number");
    put_text("l", "a 1\nb -1\n");
    refuses("l", NULL, ERR_INPUT, "'l', line 2: label -1 is outside 0 to");
    put_text("l", "a 1\nb 2000000\n");
    refuses("l", NULL, ERR_INPUT, "'l', line 2: label 2000000 is outside");
    put_text("l", "a 1\nb 99999999999\n");
    refuses("l", NULL, ERR_INPUT, "'l', line 2: label 99999999999 is outside");
    put_text("l", "a 9\n\nb 10\n");
    refuses("l", &ten, ERR_INPUT,
            "'l', line 3: label 10 of 'b' is outside 0 to 9");
    put("l", "a 1\nb\0c 2\n", 11);
    refuses("l", NULL, ERR_FORMAT, "'l' is no data set that is known");
    put_text("l", "");
    refuses("l", NULL, ERR_INPUT, "'l' is empty");
    put_text("l", "\r\n \n");
    refuses("l", NULL, ERR_INPUT, "'l' holds no pictures");
    put_text("l", "gone.ppm 1\n");
    d = must_open("l", NULL);
    assert_int_equal(dataset_image(d, 0, &co, &im, &e), -1);
    assert_string_equal(e.msg, "'l', line 1: cannot open 'gone.ppm': No such "
                               "file or directory");
    dataset_free(d);
    put_dot("1.ppm", 1);
    refuses("1.ppm", NULL, ERR_INPUT, "'1.ppm' is a pnm picture, not a data");
}

/* ---- IDX, CIFAR ---- */

static const unsigned char idx_images[] = {
    0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 10, 20, 30, 40, 50, 60};
static const unsigned char idx_labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 9};

static void idx(void **state)
{
    const struct codec_opts co = {0};
    struct err e = {0};
    struct image im;
    struct dataset *d;
    char *train, *test;

    (void)state;
    put("m/train-images-idx3-ubyte", idx_images, sizeof idx_images);
    put("m/train-labels-idx1-ubyte", idx_labels, sizeof idx_labels);
    d = must_open("m/train-images-idx3-ubyte", NULL);
    check(d, "train-images[0]=7:10 train-images[1]=9:40");
    assert_int_equal(dataset_image(d, 1, &co, &im, &e), 0);
    assert_true(im.w == 3 && im.h == 1);
    assert_memory_equal(im.rgb, "\x28\x28\x28\x32\x32\x32\x3c\x3c\x3c", 9);
    image_release(&im);
    dataset_free(d);
    put("m/t10k-images-idx3-ubyte", idx_images, sizeof idx_images);
    put("m/t10k-labels-idx1-ubyte", idx_labels, sizeof idx_labels);
    assert_int_equal(dataset_split_dir("m", &train, &test), 1);
    assert_string_equal(train, "m/train-images-idx3-ubyte");
    assert_string_equal(test, "m/t10k-images-idx3-ubyte");
    free(train);
    free(test);
    d = must_open("m", NULL);
    assert_int_equal(dataset_count(d), 2);
    dataset_free(d);
}

static void idx_faults(void **state)
{
    const struct dataset_opts any = {.unlabelled = 1};
    struct dataset *d;
    unsigned char b[sizeof idx_images];

    (void)state;
    put("x-images", idx_images, sizeof idx_images);
    d = must_open("x-images", &any);
    check(d, "x-images[0]=-1:10 x-images[1]=-1:40");
    dataset_free(d);
    refuses("x-images", NULL, ERR_INPUT, "cannot open 'x-labels'");
    put("x-labels", idx_labels, sizeof idx_labels - 1);
    refuses("x-images", NULL, ERR_FORMAT, "'x-labels': 1 bytes of data where");
    refuses("x-labels", NULL, ERR_FORMAT, "IDX of rank 1 where pictures");
    put("y-images", idx_images, sizeof idx_images - 1);
    refuses("y-images", NULL, ERR_FORMAT, "'y-images': 5 bytes of data where");
    put("pixels", idx_images, sizeof idx_images);
    refuses("pixels", NULL, ERR_INPUT, "cannot tell where its labels are");
    memcpy(b, idx_images, sizeof b);
    b[2] = 13;
    put("y-images", b, sizeof b);
    refuses("y-images", NULL, ERR_UNSUPPORTED, "elements of type 0x0d");
    memcpy(b, idx_images, sizeof b);
    b[8] = 1;
    put("y-images", b, sizeof b);
    refuses("y-images", NULL, ERR_FORMAT, "side of 16777217 pixels");
}

static void put_cifar(const char *path, int labels, int n)
{
    const size_t stride = (size_t)labels + 3072;
    unsigned char *p = xcalloc((size_t)n, stride);

    for (int i = 0; i < n; i++) {
        unsigned char *r = p + (size_t)i * stride;

        r[labels - 1] = (unsigned char)(9 - i);
        memset(r + labels, 100 + i, 1024);
        r[labels + 1024] = 5;
    }
    put(path, p, stride * (size_t)n);
    free(p);
}

static void cifar(void **state)
{
    const struct codec_opts co = {0};
    struct err e = {0};
    struct image im;
    struct dataset *d;
    char *train, *test;
    int n;

    (void)state;
    put_cifar("c/data_batch_1.bin", 1, 2);
    put_cifar("c/data_batch_2.bin", 1, 1);
    put_cifar("c/test_batch.bin", 1, 3);
    put_text("c/batches.meta.txt", "z\ny\nx\nw\nv\nu\nt\ns\nr\nq\n\n");
    d = must_open("c", NULL);
    check(d, "data_batch_1[0]=9:100 data_batch_1[1]=8:101 "
             "data_batch_2[0]=9:100");
    check_names(dataset_classes(d, &n), "z y x w v u t s r q");
    assert_int_equal(dataset_image(d, 1, &co, &im, &e), 0);
    assert_true(im.w == 32 && im.h == 32);
    assert_memory_equal(im.rgb, "\x65\x05\x00\x65\x00\x00", 6);
    image_release(&im);
    dataset_free(d);
    assert_int_equal(dataset_split_dir("c", &train, &test), 1);
    assert_string_equal(train, "c/data_batch_1.bin+c/data_batch_2.bin");
    assert_string_equal(test, "c/test_batch.bin");
    free(train);
    free(test);
    put_cifar("h/train.bin", 2, 2); /* CIFAR-100: the fine label */
    d = must_open("h/train.bin", NULL);
    check(d, "train[0]=9:100 train[1]=8:101");
    dataset_free(d);
}

/* ---- joining, fingerprints, splits ---- */

static void joined(void **state)
{
    static const char *const dogs[] = {"dog/1.ppm", "emu/2.ppm", NULL};
    const struct dataset_opts two = {.n_classes = 2};
    struct dataset *d;
    int n;

    (void)state;
    put_folders();
    put_tar("a+b.tar", dogs);
    put_dot("3.ppm", 9);
    put_text("list", "3.ppm 2\n");
    d = must_open("set+a+b.tar+list", NULL);
    check(d, "set/cat/9.ppm=0:4 set/cat/deep/er/0.ppm=0:3 set/dog/1.ppm=1:1 "
             "set/dog/2.ppm=1:2 a+b.tar:dog/1.ppm=1:0 a+b.tar:emu/2.ppm=2:1 "
             "3.ppm=2:9");
    check_names(dataset_classes(d, &n), "cat dog emu");
    dataset_free(d);
    /* an index must be inside the names of the others */
    refuses("set+list", NULL, ERR_INPUT,
            "'list', line 1: label 2 of '3.ppm' is outside 0 to 1");
    refuses("set+a+b.tar", &two, ERR_INPUT, "has 3 classes, the model's head");
    refuses("set+", NULL, ERR_USAGE, "an empty name");
    refuses("set+gone", NULL, ERR_INPUT, "cannot open 'gone'");
}

static void print_of(const char *spec, char text[HASH_TEXT])
{
    struct dataset *d = must_open(spec, NULL);

    dataset_fingerprint(d, text);
    dataset_free(d);
}

static void fingerprints(void **state)
{
    char a[HASH_TEXT], b[HASH_TEXT];

    (void)state;
    put_folders();
    print_of("set", a);
    assert_int_equal(system("mkdir else && cp -r set else/where"), 0);
    print_of("else/where", b);
    assert_string_equal(a, b); /* never a path */
    print_of("./set/", b);
    assert_string_equal(a, b);
    put_text("set/cat/9.ppm", "shorter");
    print_of("set", b);
    assert_string_not_equal(a, b); /* a size */
    assert_int_equal(rename("else/where/dog", "else/where/cow"), 0);
    print_of("else/where", b);
    assert_string_not_equal(a, b); /* a name */
    put_text("l1", "x 1\ny 2\n");
    put_text("l2", "x 1\ny 1\n");
    print_of("l1", a);
    print_of("l2", b);
    assert_string_not_equal(a, b); /* a label */
}

static void spread(void **state)
{
    struct dataset *d;

    (void)state;
    put_text("l1", "a 0\nb 1\nc 2\nd 3\n");
    put_text("l2", "e 4\nf 5\ng 6\n");
    d = must_open("l1+l2", NULL);
    dataset_spread(d, 9);
    assert_int_equal(dataset_count(d), 7);
    dataset_spread(d, 3);
    assert_int_equal(dataset_count(d), 3);
    assert_int_equal(dataset_sample(d, 0).label, 0);
    assert_int_equal(dataset_sample(d, 1).label, 2);
    assert_int_equal(dataset_sample(d, 2).label, 4);
    dataset_spread(d, 1);
    assert_int_equal(dataset_sample(d, 0).label, 0);
    dataset_free(d);
}

static void files_alone(void **state)
{
    static const char *const paths[] = {"x/1.ppm", "gone", "x/1.ppm"};
    const struct codec_opts co = {0};
    struct err e = {0};
    struct dataset *d;
    struct image im;

    (void)state;
    put_dot("x/1.ppm", 4);
    d = dataset_paths(paths, 3, &e);
    assert_int_equal(dataset_count(d), 3);
    assert_int_equal(dataset_sample(d, 2).label, -1);
    assert_int_equal(red_of(d, 2), 4);
    assert_int_equal(dataset_image(d, 1, &co, &im, &e), -1);
    assert_string_equal(e.msg, "cannot open 'gone': No such file or directory");
    dataset_free(d);
    e = (struct err){0};
    assert_null(dataset_paths(NULL, 0, &e));
}

static void splits(void **state)
{
    char *train, *val;

    (void)state;
    put_dot("d/train/a/1.ppm", 1);
    put_dot("d/test/a/1.ppm", 1);
    put_text("d/.DS_Store", "x");
    assert_int_equal(dataset_split_dir("d", &train, &val), 1);
    assert_string_equal(train, "d/train");
    assert_string_equal(val, "d/test");
    free(train);
    free(val);
    put_dot("d/val/a/1.ppm", 1);
    assert_int_equal(dataset_split_dir("d/", &train, &val), 1);
    assert_string_equal(val, "d/val");
    free(train);
    free(val);
    put_dot("d/other/1.ppm", 1); /* three classes, two of them odd */
    assert_int_equal(dataset_split_dir("d", &train, &val), 0);
    assert_null(train);
    assert_int_equal(dataset_split_dir("d/val", &train, &val), 0);
    assert_int_equal(dataset_split_dir("gone", &train, &val), 0);
}

/* ---- standard input ---- */

/* Standard input is a pipe that holds the N bytes at P.  */
static int feed(const void *p, size_t n)
{
    const int saved = dup(STDIN_FILENO);
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], p, n), n);
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    return saved;
}

static void unfeed(int saved)
{
    dup2(saved, STDIN_FILENO);
    close(saved);
}

static void f077_pipes(void **state)
{
    static const char *const names[] = {"a/1.ppm", "b/2.ppm", NULL};
    struct err e = {0};
    struct dataset *d;
    struct bytes b;
    int saved;

    (void)state;
    put_tar("t.tar", names);
    assert_int_equal(bytes_read(&b, "t.tar", SIZE_MAX, &e), 0);
    saved = feed(b.data, b.n);
    d = must_open("-", NULL);
    unfeed(saved);
    check(d, "-:a/1.ppm=0:0 -:b/2.ppm=1:1");
    dataset_free(d);
    /* a writer that died is not an end */
    saved = feed(b.data, 512 + 5);
    refuses("-", NULL, ERR_FORMAT, "cut short?");
    unfeed(saved);
    saved = feed(b.data, 1024);
    refuses("-", NULL, ERR_FORMAT, "cut short?");
    unfeed(saved);
    bytes_release(&b);
}

/* ---- size ---- */

static void f065_many_classes(void **state)
{
    enum { MANY = 100000 };
    struct str s = {0};
    struct dataset *d;
    double from;
    int n;

    (void)state;
    for (int i = 0; i < MANY; i++)
        str_printf(&s, "p%d\tc%07d\n", i, MANY - i);
    put("list", s.data, s.len);
    from = clock_now();
    d = must_open("list", NULL);
    assert_true(clock_now() - from < 5); /* 0.1 s; minutes if quadratic */
    dataset_classes(d, &n);
    assert_int_equal(n, MANY);
    assert_int_equal(dataset_sample(d, 0).label, MANY - 1);
    dataset_free(d);
    str_release(&s);
}

/* ---- many threads ---- */

struct reading {
    const struct dataset *d;
    int red[64];
};

static void read_one(void *ctx, int64_t task, int thread)
{
    struct reading *r = ctx;
    const struct codec_opts o = {0};
    struct err e = {0};
    struct image im;

    (void)thread;
    if (dataset_image(r->d, task % dataset_count(r->d), &o, &im, &e) == 0)
        r->red[task] = im.rgb[0];
    image_release(&im);
}

static void threads(void **state)
{
    struct pool *p = pool_new(4);
    struct reading r = {0};
    struct dataset *d;

    (void)state;
    put_folders();
    d = must_open("set", NULL);
    r.d = d;
    pool_run(p, 64, read_one, &r);
    for (int i = 0; i < 64; i++)
        assert_int_equal(r.red[i], red_of(d, i % 4));
    dataset_free(d);
    pool_free(p);
}

/* ---- hostile ---- */

static void hostile_lists(void **state)
{
#define SEED(text)            \
    {                         \
        text, sizeof text - 1 \
    }
    static const struct fuzz_seed seeds[] = {
        SEED("\xef\xbb\xbf"
             "a b.ppm 3\r\n\r\n   \nc.ppm\t0  \r\n"),
        SEED("c.ppm dog\na b.ppm\tblack cat\n"),
        SEED("#x\n"),
        SEED("c.ppm\na b.ppm\n"),
        SEED("/c d.ppm\n"),
    };
    char *large = memset(xmalloc(70000), 'a', 70000);
    const struct fuzz_seed larger[] = {seeds[3], {large, 70000}};

    (void)state;
    fuzz_cut(fuzz_list, seeds[0].p, seeds[0].n);
    fuzz_flip(fuzz_list, seeds[0].p, seeds[0].n);
    fuzz_run(fuzz_list, seeds, COUNT(seeds), NULL, 10000, 1);
    large[5] = 0; /* in the middle of a line */
    fuzz_run(fuzz_list, larger, COUNT(larger), NULL, 300, 1);
    free(large);
}

/* Folders and pairs, right ones and wrong ones.  */
static void hostile_tar_sets(void **state)
{
    static const char *const members[][8] = {
        {"dog/7.ppm", "cat/1.ppm", "./dog/0.ppm", "README=text", "cat/.x.ppm",
         "../cat/x"},
        {"set/dog/1.ppm", "set/cat/2.ppm", "set/a-long-hidden-folder/.x"},
        {"1.ppm", "2.ppm", "2.ppm"},
        {"x/1.cls=3\n", "x/1.ppm", "x/2.ppm", "x/2.cls=0", "x/2.json={}"},
        {"1.a.ppm=", "2.ppm", "2.cls=dog\r\n", "3.ppm", "3.cls=cat"},
        {"1.ppm", "1.PNG", "1.cls=1"},
        {"1.ppm", "1.cls=a\nb"},
        {"1.ppm", "2.cls=1"},
        {"1.ppm", "1.cls=1", "2.ppm"},
        {"1.ppm", "1.cls=1", "2.ppm", "2.cls=x"},
    };
    struct fuzz_seed seeds[COUNT(members)];
    struct bytes b[COUNT(members)];
    struct err e = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(members); i++) {
        put_tar("t.tar", members[i]);
        assert_int_equal(bytes_read(&b[i], "t.tar", SIZE_MAX, &e), 0);
        remove("t.tar");
        seeds[i] = (struct fuzz_seed){b[i].data, b[i].n};
    }
    fuzz_run(fuzz_tar_set, seeds, COUNT(seeds), fuzz_repair_tar, 10000, 1);
    for (size_t i = 0; i < COUNT(members); i++)
        bytes_release(&b[i]);
}

/* The last byte tells where the labels begin: 10 bytes before the end.  */
static void put_length(uint8_t **p, size_t *n)
{
    if (*n > 32)
        (*p)[*n - 1] = 11;
}

static void hostile_idx(void **state)
{
    unsigned char both[sizeof idx_images + sizeof idx_labels + 1];
    static const unsigned char one[] = {0, 0, 8, 1, 0, 0, 0, 1, 7, 10};
    unsigned char odd[sizeof idx_images + sizeof one]; /* two pictures */
    const struct fuzz_seed seeds[] = {{both, sizeof both}, {odd, sizeof odd}};

    (void)state;
    memcpy(both, idx_images, sizeof idx_images);
    memcpy(both + sizeof idx_images, idx_labels, sizeof idx_labels);
    both[sizeof both - 1] = 11;
    fuzz_cut(fuzz_idx, both, sizeof both);
    fuzz_flip(fuzz_idx, both, sizeof both);
    memcpy(odd, idx_images, sizeof idx_images);
    memcpy(odd + sizeof idx_images, one, sizeof one);
    fuzz_run(fuzz_idx, seeds, COUNT(seeds), put_length, 10000, 1);
}

static const char cifar_names[] = "a\nb\n\nc\nd\ne\nf\ng\nh\ni\nj\n\x16";

/* Whole records of the first layout, names behind.  */
static void fit_batch(uint8_t **p, size_t *n)
{
    enum { NAMES = sizeof cifar_names - 1 };
    const size_t records = *n > 2 * 3073 ? 2 : 1, want = records * 3073 + NAMES;

    *p = xrealloc(*p, want, 1);
    if (want > *n)
        memset(*p + *n, 0, want - *n);
    *n = want;
    for (size_t i = 0; i < records; i++)
        (*p)[i * 3073] %= 10;
    (*p)[*n - 1] = NAMES;
}

static void hostile_cifar(void **state)
{
    enum { NAMES = sizeof cifar_names - 1 };
    unsigned char *p = xcalloc(11000, 1);
    const struct fuzz_seed seeds[] = {
        {p, 3073 + NAMES}, {p + 1, 3073}, {p + 1, 3074}, {p + 4000, 2 * 3074}};

    (void)state;
    memcpy(p + 3073, cifar_names, NAMES);
    assert_int_equal(fuzz_cifar(p, 3073 + NAMES), 0);
    fuzz_run(fuzz_cifar, seeds, COUNT(seeds), fit_batch, 10000, 1);
    free(p);
}

int main(void)
{
#define HERE(f) cmocka_unit_test_setup_teardown(f, enter, leave)
    const struct CMUnitTest tests[] = {
        HERE(folders),
        HERE(folders_below_a_top_one),
        HERE(folders_match_by_name),
        HERE(folder_faults),
        HERE(tar_of_folders),
        HERE(tar_faults),
        HERE(webdataset),
        HERE(lists),
        HERE(list_faults),
        HERE(idx),
        HERE(idx_faults),
        HERE(cifar),
        HERE(joined),
        HERE(fingerprints),
        HERE(spread),
        HERE(files_alone),
        HERE(splits),
        HERE(f077_pipes),
        HERE(f065_many_classes),
        HERE(threads),
        cmocka_unit_test(hostile_lists),
        HERE(hostile_tar_sets),
        cmocka_unit_test(hostile_idx),
        cmocka_unit_test(hostile_cifar),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
