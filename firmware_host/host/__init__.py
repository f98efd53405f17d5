"""What the machine says of itself; everything takes its root folder as an argument."""
