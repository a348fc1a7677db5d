"""Perception: images to detections, features, degrees of concepts, and scenes.

detections     boxes, masks and scores of objects; COCO's and CLEVR's file formats; COCO's evaluation
detector       Mask R-CNN, small or torchvision's
features       features of image regions or of state descriptions, and concept embeddings on them
scene_parser   attributes and places of detected objects: images to crisp scenes
rendering      scenes to images, by ray casting
letterbox      images of any size in the frame of a model
familiarity    whether an image is like those of the bundled weights' training
"""
