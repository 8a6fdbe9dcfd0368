"""The fifteen architectures of FingerBench by name, for whatever prints names without building networks."""

DISPLAY_NAMES: dict[str, str] = {
    "densenet121": "DenseNet121",
    "efficientnet": "EfficientNet",
    "googlenet": "GoogLeNet",
    "inception_v3": "InceptionV3",
    "mobilenet_v2": "MobileNetV2",
    "resnet18": "ResNet18",
    "resnet34": "ResNet34",
    "resnet50": "ResNet50",
    "se_resnet18": "SE-ResNet18",
    "shufflenet_v2": "ShuffleNetV2",
    "squeezenet": "SqueezeNet",
    "vgg13_bn": "VGG13-BN",
    "vgg16_bn": "VGG16-BN",
    "vgg19_bn": "VGG19-BN",
    "xception": "Xception",
}
"""Registry key to the paper's name, in the order of the paper's figures."""
