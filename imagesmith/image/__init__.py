"""Release, recipe and base become an image: its layers, its configuration, its manifest."""
