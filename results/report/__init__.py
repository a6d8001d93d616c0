"""One page that shows all a store can say: `model` is what it holds, `page` and `markdown` write
it.

Nothing here reads a clock, a pack or the network; what a page shows is handed in.
"""
