"""The pet image: the cattle image, and one layer on top that lets it be upgraded in place."""

from imagesmith.image.pet.image import pet_image, plan_pet

__all__ = ["pet_image", "plan_pet"]
