"""From matrices to a champion: folds, experts, evidence, contest, bundle."""
