/* stand-in of this course: nothing of NVIDIA's is in it */
