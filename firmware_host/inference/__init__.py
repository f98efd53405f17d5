"""Running the pocket models: the model seam, its implementations and the bundle they come from."""
