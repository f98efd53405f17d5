"""The stream against its peers and its own aims: decoding, the whole host path, a fast line."""
