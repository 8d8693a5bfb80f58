/* netname.h -- names of networks as other programs spell them.
 * SPDX-License-Identifier: MIT
 *
 * torchvision, timm and PaddleClas call one network resnet50d, ResNet50_vd,
 * resnet50-vd.  Letters of either case are the same here, and blanks, `_', `-'
 * and `.' count between two digits alone (regnet_y_3_2gf is not 32gf); a table
 * has what else they write otherwise.  */
#ifndef ADZE_FORMAT_NETNAME_H
#define ADZE_FORMAT_NETNAME_H

#include "base/str.h"

/* "; did you mean 'X'?" with the network of LIST (ended by NULL) that others
 * call NAME, or with the nearest; "" if none is near.  Returns BUF.  */
const char *netname_suggest(char buf[STR_SUGGEST], const char *name,
                            const char *const *list);

#endif
