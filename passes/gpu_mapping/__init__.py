"""Step 6 for GPUs: what a subgroup does to a vector becomes what each of its lanes does to a part of it.

`layouts` says which lane holds which elements, `assignment` chooses a layout for every vector of a phase, `places` finds the
memory behind an access and what is known of its address, `ordering` decides where threads must wait for each other,
`vectors` and `contractions` write a lane's code, `phases` makes one `gpu.func` of a parallel phase, `host` turns launches
into grids and copies. Only `gpu-outline-kernels` uses them.
"""
