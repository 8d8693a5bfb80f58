/* recipe_kind.h -- the kinds of values that keys of a recipe have: numbers and
 * choices, rates, spans, factors on the loss, lists, augmentations.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_TRAIN_RECIPE_KIND_H
#define ADZE_TRAIN_RECIPE_KIND_H

struct err;
struct recipe;
struct recipe_row;
struct yaml;

/* What R has for the key of row W becomes Y, which is kept.  ERR_USAGE says
 * what that kind is, or within which bounds.  */
int recipe_kind_set(struct recipe *r, const struct recipe_row *w,
                    const struct yaml *y, struct err *e);

#endif
