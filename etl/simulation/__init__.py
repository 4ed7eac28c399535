"""The simulated market: paths of prices, and the news that move them."""
