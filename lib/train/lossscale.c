/* lossscale.c -- see lossscale.h.
 * SPDX-License-Identifier: MIT  */
#include "train/lossscale.h"

#include "train/recipe.h"

enum { LEAST = 1, MOST = 1 << 24 };

struct lossscale lossscale_new(const struct recipe *r)
{
    const struct recipe_scale s = recipe_loss_scale(r);

    return (struct lossscale){.value = s.start, .every = s.every};
}

int lossscale_is_on(const struct recipe *r)
{
    const struct recipe_scale s = recipe_loss_scale(r);

    return s.every || s.start != 1;
}

void lossscale_good(struct lossscale *s)
{
    if (!s->every || ++s->good < s->every)
        return;
    s->good = 0;
    if (2 * s->value <= MOST)
        s->value *= 2;
}

int lossscale_halve(struct lossscale *s)
{
    if (!s->every || s->value / 2 < LEAST)
        return 0;
    s->value /= 2;
    s->good = 0;
    s->overflows++;
    return 1;
}
