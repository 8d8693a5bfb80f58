/* ref_loader.h -- how torchvision prepares the noise picture.
 * SPDX-License-Identifier: MIT
 *
 * Written by scripts/make-ref-loader.py with Pillow 13.0.0, torchvision 0.29.2.  */
#ifndef ADZE_TESTS_REF_LOADER_H
#define ADZE_TESTS_REF_LOADER_H

#include <stdint.h>

/* clang-format off */
static const struct {
    int w, h, size[2], resize_px, kernel; /* resize_px 0: to size exactly */
    uint32_t crc;
} ref_loader[] = {
    {13, 9, {6, 5}, 7, 1, 0x4b7dd200},
    {13, 9, {6, 5}, 7, 2, 0x28077c2f},
    {13, 9, {8, 8}, 8, 1, 0x2672d3f9},
    {13, 9, {8, 8}, 8, 2, 0x430ce79a},
    {13, 9, {3, 12}, 10, 1, 0xdf12e2f6},
    {13, 9, {3, 12}, 10, 2, 0x5be02659},
    {13, 9, {7, 6}, 0, 1, 0xede23dd0},
    {13, 9, {7, 6}, 0, 2, 0x7897124e},
    {9, 14, {6, 5}, 7, 1, 0x973de241},
    {9, 14, {6, 5}, 7, 2, 0x1b55fef7},
    {9, 14, {8, 8}, 8, 1, 0x4b104382},
    {9, 14, {8, 8}, 8, 2, 0x27b57d0f},
    {9, 14, {3, 12}, 10, 1, 0xb5f7168a},
    {9, 14, {3, 12}, 10, 2, 0x6212cdeb},
    {9, 14, {7, 6}, 0, 1, 0x71a476b6},
    {9, 14, {7, 6}, 0, 2, 0x635dbed3},
    {40, 7, {6, 5}, 7, 1, 0x4fced796},
    {40, 7, {6, 5}, 7, 2, 0x4fced796},
    {40, 7, {8, 8}, 8, 1, 0x004b1080},
    {40, 7, {8, 8}, 8, 2, 0x69197dec},
    {40, 7, {3, 12}, 10, 1, 0x90a11258},
    {40, 7, {3, 12}, 10, 2, 0x8571f039},
    {40, 7, {7, 6}, 0, 1, 0x10608d58},
    {40, 7, {7, 6}, 0, 2, 0xeaaea287},
    {5, 64, {6, 5}, 7, 1, 0x3c42dee1},
    {5, 64, {6, 5}, 7, 2, 0xcd8b7f40},
    {5, 64, {8, 8}, 8, 1, 0x950d7aae},
    {5, 64, {8, 8}, 8, 2, 0xe5ccb090},
    {5, 64, {3, 12}, 10, 1, 0x4e81e55d},
    {5, 64, {3, 12}, 10, 2, 0xaff1d9c3},
    {5, 64, {7, 6}, 0, 1, 0x911b9771},
    {5, 64, {7, 6}, 0, 2, 0x860153ca},
    {8, 8, {6, 5}, 7, 1, 0x04ef48fe},
    {8, 8, {6, 5}, 7, 2, 0x32937c36},
    {8, 8, {8, 8}, 8, 1, 0x5902eeec},
    {8, 8, {8, 8}, 8, 2, 0x5902eeec},
    {8, 8, {3, 12}, 10, 1, 0x3ca70d45},
    {8, 8, {3, 12}, 10, 2, 0xa23a7143},
    {8, 8, {7, 6}, 0, 1, 0xe2a3cae1},
    {8, 8, {7, 6}, 0, 2, 0x4d77eda5},
};
/* clang-format on */

#endif
