/* cmocka.h -- what our tests use of cmocka, for machines where it is not: see
 * tests/emulated/arm64.sh.
 * SPDX-License-Identifier: MIT
 *
 * The words mean what they mean there.  A program tells what it did as TAP.  */
#ifndef ADZE_TESTS_STANDIN_CMOCKA_H
#define ADZE_TESTS_STANDIN_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef void CMUnitTestFunction(void **state);
typedef int CMFixtureFunction(void **state);

struct CMUnitTest {
    const char *name;
    CMUnitTestFunction *test;
    CMFixtureFunction *setup, *teardown;
    void *initial_state;
};

/* Where a test ends that fails or skips itself; one for all files of a
 * program.  */
enum { STANDIN_FAILED = 1, STANDIN_SKIPPED };
__attribute__((weak)) jmp_buf standin_end;

static inline _Noreturn void standin_skip(void)
{
    longjmp(standin_end, STANDIN_SKIPPED);
}

__attribute__((format(printf, 3, 4))) static inline _Noreturn void
standin_fail(const char *file, int line, const char *format, ...)
{
    va_list ap;

    printf("# %s:%d: ", file, line);
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    printf("\n");
    longjmp(standin_end, STANDIN_FAILED);
}

static inline void standin_same_text(const char *a, const char *b, int same,
                                     const char *file, int line)
{
    if ((strcmp(a, b) == 0) != same)
        standin_fail(file, line, "\"%s\" %s \"%s\"", a, same ? "!=" : "==", b);
}

static inline int standin_run(const struct CMUnitTest *t, void *state)
{
    switch (setjmp(standin_end)) {
    case STANDIN_FAILED:
        return STANDIN_FAILED;
    case STANDIN_SKIPPED:
        return STANDIN_SKIPPED;
    }
    if (t->setup && t->setup(&state))
        standin_fail(t->name, 0, "setup failed");
    t->test(&state);
    if (t->teardown && t->teardown(&state))
        standin_fail(t->name, 0, "teardown failed");
    return 0;
}

static inline int _cmocka_run_group_tests(const char *name,
                                          const struct CMUnitTest *t, size_t n,
                                          CMFixtureFunction *setup,
                                          CMFixtureFunction *teardown)
{
    static const char *const word[] = {"ok", "not ok", "ok"};
    void *state = NULL;
    int failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("# %s\n1..%zu\n", name, n);
    if (setup && setup(&state))
        return printf("Bail out! setup failed\n");
    for (size_t i = 0; i < n; i++) {
        void *own = t[i].initial_state;
        const int end = standin_run(&t[i], own ? own : state);

        printf("%s %zu - %s%s\n", word[end], i + 1, t[i].name,
               end == STANDIN_SKIPPED ? " # SKIP" : "");
        failed += end == STANDIN_FAILED;
    }
    if (teardown && teardown(&state))
        return printf("Bail out! teardown failed\n");
    return failed;
}

/* clang-format off */
#define cmocka_unit_test(f) {#f, f, NULL, NULL, NULL}
#define cmocka_unit_test_prestate(f, state) {#f, f, NULL, NULL, state}
#define cmocka_unit_test_setup_teardown(f, up, down) {#f, f, up, down, NULL}
#define cmocka_run_group_tests(tests, up, down) \
    _cmocka_run_group_tests(#tests, tests, sizeof(tests) / sizeof *(tests), up, \
                            down)

#define standin_claim(claim, ...) \
    ((claim) ? (void)0 : standin_fail(__FILE__, __LINE__, __VA_ARGS__))
#define standin_number(a, is, b) \
    standin_claim((uintmax_t)(a) is (uintmax_t)(b), "%s %s %s: %#jx, %#jx", \
                  #a, #is, #b, (uintmax_t)(a), (uintmax_t)(b))

#define skip() standin_skip()
#define fail_msg(...) standin_fail(__FILE__, __LINE__, __VA_ARGS__)
#define print_message(...) printf("# " __VA_ARGS__)
#define assert_true(a) standin_claim(a, "%s", #a)
#define assert_false(a) standin_claim(!(a), "!(%s)", #a)
#define assert_null(p) standin_claim(!(p), "%s is not null", #p)
#define assert_non_null(p) standin_claim(p, "%s is null", #p)
#define assert_ptr_equal(a, b) standin_claim((a) == (b), "%s != %s", #a, #b)
#define assert_ptr_not_equal(a, b) standin_claim((a) != (b), "%s == %s", #a, #b)
#define assert_int_equal(a, b) standin_number(a, ==, b)
#define assert_int_not_equal(a, b) standin_number(a, !=, b)
#define assert_in_range(a, lo, hi) \
    standin_claim((uintmax_t)(a) >= (uintmax_t)(lo) && \
                  (uintmax_t)(a) <= (uintmax_t)(hi), "%s is outside", #a)
#define assert_float_equal(a, b, e) \
    standin_claim((a) - (b) <= (e) && (b) - (a) <= (e), "%s: %g, not %g", #a, \
                  (double)(a), (double)(b))
#define assert_string_equal(a, b) \
    standin_same_text(a, b, 1, __FILE__, __LINE__)
#define assert_string_not_equal(a, b) \
    standin_same_text(a, b, 0, __FILE__, __LINE__)
#define assert_memory_equal(a, b, n) \
    standin_claim(!memcmp(a, b, n), "%s: other bytes than %s", #a, #b)
#define assert_memory_not_equal(a, b, n) \
    standin_claim(memcmp(a, b, n), "%s: the bytes of %s", #a, #b)
/* clang-format on */

#endif
