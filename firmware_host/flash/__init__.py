"""From a bare board to its first block: boards, images, and the programs that write them."""
