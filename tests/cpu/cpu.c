/* cpu.c -- tests of the list of offers.
 * SPDX-License-Identifier: MIT  */
#include "cpu/cpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../kernel_check.h"
#include "graph/device.h"

/* Wherever K is asked, A has been, and takes it: the same piece of a graph
 * in the same layouts, and A asks for nothing more.  */
static int shadows(const struct kernel *a, const struct kernel *k)
{
    return !strcmp(a->op, k->op) && a->dir == k->dir && !(a->isa & ~k->isa) &&
           !(k->dtypes & ~a->dtypes) && a->reads == k->reads &&
           a->writes == k->writes && a->narrow == k->narrow &&
           a->pulls >= k->pulls && a->any_layout >= k->any_layout &&
           a->plain == k->plain && a->quantised == k->quantised &&
           (!k->epilogue || a->epilogue == k->epilogue) &&
           (!k->side || a->side == k->side) && !(k->lazy & ~a->lazy) &&
           a->defer >= k->defer && (!a->accepts || a->accepts == k->accepts);
}

/* An offer that an earlier one always shadows never runs.  */
static void test_shadows(void **state)
{
    struct device *d = device_cpu_new(~0u);
    int n = 0;

    (void)state;
    for (const struct kernel *const *k = d->kernels; *k; k++, n++)
        for (const struct kernel *const *a = d->kernels; a < k; a++)
            if (shadows(*a, *k))
                fail_msg("%s: %s of %s never runs, as %s takes it", (*k)->name,
                         (*k)->dir == DIR_BACKWARD ? "the gradient"
                                                   : "the offer",
                         (*k)->op, (*a)->name);
    assert_true(n > 100);
    device_cpu_free(d);
}

static void test_names(void **state)
{
    struct device *d = device_cpu_new(~0u);

    (void)state;
    kernel_check_names(d);
    device_cpu_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shadows),
                                       cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
