/* netname.c -- tests of format/netname.h.
 * SPDX-License-Identifier: MIT  */
#include "format/netname.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "format/network.h"

/* As others write them; NULL: nothing is near.  */
static const struct {
    const char *theirs, *ours;
} names[] = {
    {"ResNet50", "resnet50"},
    {"resnet50d", "resnet50-vd"},
    {"ResNet50_vd", "resnet50-vd"},
    {"ecaresnet50d", "eca-resnet50-vd"},
    {"resnet50c", "resnet50-vc"},
    {"resnet18.a1_in1k", "resnet18"},
    {"resnext50_32x4d", "resnext50-32x4d"},
    {"seresnet50", "se-resnet50"},
    {"seresnext50_32x4d", "se-resnext50-32x4d"},
    {"legacy_senet154", "senet154"},
    {"wide_resnet50_2", "wide-resnet50-2"},
    {"res2net50_26w_4s", "res2net50"},
    {"VGG16", "vgg16"},
    {"vgg16_bn.tv_in1k", "vgg16-bn"},
    {"LeNet", "lenet5"},
    {"InceptionV3", "inception-v3"},
    {"SqueezeNet1_1", "squeezenet1.1"},
    {"mobilenetv1_100", "mobilenet-v1-x1.0"},
    {"MobileNetV1", "mobilenet-v1-x1.0"},
    {"MobileNetV1_x0_25", "mobilenet-v1-x0.25"},
    {"mobilenetv2_100", "mobilenet-v2"},
    {"mobilenet_v3_large", "mobilenet-v3-large"},
    {"mobilenetv3_small_100.lamb_in1k", "mobilenet-v3-small"},
    {"MobileNetV3_large_x1_0", "mobilenet-v3-large"},
    {"shufflenet_v2_x0_5", "shufflenet-v2-x0.5"},
    {"ShuffleNetV2_x1_0", "shufflenet-v2-x1.0"},
    {"ghostnet_100", "ghostnet-x1.0"},
    {"PPLCNet_x0_25", "pp-lcnet-x0.25"},
    {"mnasnet_050", "mnasnet0.5"},
    {"mnasnet0_5", "mnasnet0.5"},
    {"EfficientNetB0", "efficientnet-b0"},
    {"tf_efficientnet_b4", "efficientnet-b4"},
    {"tf_efficientnetv2_s.in1k", "efficientnet-v2-s"},
    {"regnet_y_3_2gf", "regnet-y-3.2gf"},
    {"regnet_y_32gf", "regnet-y-32gf"},
    {"regnetx_004", "regnet-x-400mf"},
    {"RepVGG_A0", "repvgg-a0"},
    {"vit_tiny_patch16_224", "vit-t-16"},
    {"ViT_base_patch32_224", "vit-b-32"},
    {"vit_b_16", "vit-b-16"},
    {"deit_base_distilled_patch16_224", "deit-base-distilled"},
    {"DeiT_tiny_patch16_224", "deit-tiny"},
    {"SwinTransformer_tiny_patch4_window7_224", "swin-t"},
    {"swin_t", "swin-t"},
    {"mixer_b16_224", "mixer-b-16"},
    {"convnext_tiny.fb_in1k", "convnext-tiny"},
    {"reznet18", "resnet18"},
    {"HRNet_W18_C", NULL},
    {"", NULL},
    {"._-", NULL},
};

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        char got[STR_SUGGEST], want[STR_SUGGEST] = "";

        if (names[i].ours)
            snprintf(want, sizeof want, "; did you mean '%s'?", names[i].ours);
        netname_suggest(got, names[i].theirs, network_names());
        if (strcmp(got, want) != 0)
            fail_msg("'%s' gives '%s', not '%s'", names[i].theirs, got, want);
    }
}

/* Each of ours is itself, and names of any length are taken.  */
static void test_ours(void **state)
{
    char got[STR_SUGGEST], want[STR_SUGGEST], name[1000];

    (void)state;
    for (const char *const *n = network_names(); *n; n++) {
        snprintf(want, sizeof want, "; did you mean '%s'?", *n);
        assert_string_equal(netname_suggest(got, *n, network_names()), want);
    }
    for (size_t n = 0; n < sizeof name; n++) {
        memset(name, "m1"[n % 2], n);
        name[n] = 0;
        netname_suggest(got, name, network_names());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
