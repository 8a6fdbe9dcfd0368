"""How known services are spoken to, as the values of an adapter file that are not the user's own.

Each is what the service's documentation publishes. What stands in an adapter file beside ``preset`` overrules it.
"""

from collections.abc import Mapping
from typing import Any

PRESETS: Mapping[str, Mapping[str, Any]] = {
    # POST /v1/models/NAME:predict
    "tf-serving": {"json": {"instances": ["{nhwc}"]}, "read": "predictions[0]"},
    # POST /v1/models/NAME:predict
    "kserve-v1": {"json": {"instances": ["{nchw}"]}, "read": "predictions[0]"},
    # POST /invocations, of a model with a tensor signature
    "mlflow": {"json": {"inputs": ["{nchw}"]}, "read": "predictions[0] || values(predictions)[0][0]"},
    # POST /predictions/NAME, of the image_classifier handler: names and probabilities of the best five
    "torchserve": {"send": "png", "read": "@"},
    # POST of an image to an endpoint or to the inference API
    "huggingface": {"send": "png", "read": "@"},
    # POST .../endpoints/NAME/invocations, of the built-in image classifier: probabilities of all classes
    "sagemaker": {"send": "png", "read": "@"},
    # POST to a service's route with one image
    "bentoml": {"send": "file:image", "read": "@"},
    # POST .../endpoints/ID:predict, of an AutoML image model
    "vertex": {
        "json": {
            "instances": [{"content": "{base64}"}],
            "parameters": {"confidenceThreshold": 0.0, "maxPredictions": 10},
        },
        "read": "predictions[0]",
        "kind": "top-k",
    },
    # DetectCustomLabels
    "rekognition": {
        "json": {"Image": {"Bytes": "{base64}"}, "MinConfidence": 0},
        "headers": {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": "RekognitionService.DetectCustomLabels",
        },
        "read": "CustomLabels",
        "kind": "top-k",
    },
    # POST of base64 text to https://classify.roboflow.com/PROJECT/VERSION?api_key=...
    "roboflow": {
        "send": "base64",
        "headers": {"Content-Type": "application/x-www-form-urlencoded"},
        "read": "predictions",
        "kind": "top-k",
    },
    # POST .../classify/iterations/NAME/image
    "azure-custom-vision": {"send": "png", "read": "predictions", "kind": "top-k"},
}
