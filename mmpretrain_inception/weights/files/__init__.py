"""Files of weights: reading them safely, writing them whole."""
